//! What a file of weights seems to hold, by the names of its tensors.

/// Parts of names, of which a file has all, and what it is then.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["lora_A."],
        "adapters of PEFT, which need the model that they were trained beside; merge them first (`fireclay export RUN --merge --output DIR`, or PEFT's merge_and_unload)",
    ),
    (&["text_model.", "visual"], "a CLIP"),
    (&["vision_model.", "text_model."], "a CLIP"),
    (
        &["gpt_neox.layers."],
        "a GPT-NeoX, such as Pythia (type = \"decoder\", family = \"gpt_neox\")",
    ),
    (
        &[
            "transformer.word_embeddings.",
            "self_attention.query_key_value",
        ],
        "a BLOOM or Falcon",
    ),
    (&["attn.attention.q_proj"], "a GPT-Neo"),
    (&["transformer.h.", "attn.q_proj"], "a GPT-J"),
    (
        &["transformer.h.", "attn.Wqkv"],
        "a GPT or Phi with other layers than GPT-2's",
    ),
    (&["transformer.blocks."], "an MPT"),
    (
        &["layers.", "attention.wq."],
        "a Llama in the names of Meta's own files; convert it to those of Hugging Face's transformers",
    ),
    (
        &["block_sparse_moe."],
        "a Mixtral (type = \"decoder\", family = \"mixtral\")",
    ),
    (
        &["mlp.experts.", "self_attn.q_norm."],
        "a Qwen 3 of experts (type = \"decoder\", family = \"qwen3_moe\")",
    ),
    (
        &["self_attn.qkv_proj."],
        "a Phi-3 (type = \"decoder\", family = \"phi3\")",
    ),
    (
        &["pre_feedforward_layernorm.", "self_attn.q_norm."],
        "a Gemma 3 (type = \"decoder\", family = \"gemma3\")",
    ),
    (
        &["pre_feedforward_layernorm."],
        "a Gemma 2 (type = \"decoder\", family = \"gemma2\")",
    ),
    (
        &["self_attn.q_norm.", "post_feedforward_layernorm."],
        "an OLMo 2 (type = \"decoder\", family = \"olmo2\")",
    ),
    (
        &["self_attn.q_norm."],
        "a Qwen 3 (type = \"decoder\", family = \"qwen3\") or another model that norms its queries",
    ),
    (
        &["self_attn.q_proj.bias", "input_layernorm."],
        "a Qwen 2 (type = \"decoder\", family = \"qwen2\") or another Llama with biases",
    ),
    (
        &["self_attn.q_proj.", "input_layernorm."],
        "a Llama (type = \"llama\") or a Mistral (type = \"decoder\", family = \"mistral\") in the names of Hugging Face's transformers",
    ),
    (
        &["decoder.layers.", "encoder_attn."],
        "a BART, Marian or the like",
    ),
    (&["decoder.layers.", "self_attn.q_proj.", "fc1."], "an OPT"),
    (&["SelfAttention.q."], "a T5 (type = \"t5\")"),
    (
        &["attn.c_attn."],
        "a GPT-2 (type = \"gpt\") in the names of Hugging Face's transformers",
    ),
    (&["roberta."], "a RoBERTa (type = \"roberta\")"),
    (&["distilbert."], "a DistilBERT (type = \"distilbert\")"),
    (&["electra."], "an ELECTRA"),
    (&["albert."], "an ALBERT"),
    (&["deberta."], "a DeBERTa"),
    (
        &["transformer.layer.", "attention.q_lin."],
        "a DistilBERT (type = \"distilbert\")",
    ),
    (
        &["attn.Wqkv.", "mlp.Wi."],
        "a ModernBERT (type = \"modernbert\")",
    ),
    (
        &["vit.encoder.layer."],
        "a ViT (type = \"vit\") in the names of Hugging Face's transformers",
    ),
    (
        &["attention.self.query.", "LayerNorm"],
        "a BERT (type = \"bert\")",
    ),
    (
        &["resnet.encoder.stages."],
        "a ResNet (type = \"resnet\") in the names of Hugging Face's transformers",
    ),
    (
        &["convnext.encoder."],
        "a ConvNeXt (type = \"convnext\") in the names of Hugging Face's transformers",
    ),
    (
        &["encoder.layers.encoder_layer_"],
        "a ViT (type = \"vit\") of torchvision",
    ),
    (
        &["blocks.0.attn.qkv.", "patch_embed."],
        "a ViT (type = \"vit\") of timm",
    ),
    (
        &["layers.0.blocks.0.attn.relative_position"],
        "a Swin Transformer",
    ),
    (
        &["stages.0.blocks.0.conv_dw."],
        "a ConvNeXt (type = \"convnext\") of timm",
    ),
    (
        &["conv_stem.", "conv_head.bias"],
        "a MobileNetV3 (type = \"mobilenet_v3\") of timm",
    ),
    (
        &["conv_stem.", "conv_head.", "bn2."],
        "an EfficientNet (type = \"efficientnet\") of timm, or a relative of it",
    ),
    (
        &["features.0.0.", "classifier.2."],
        "a ConvNeXt (type = \"convnext\") of torchvision",
    ),
    (
        &["features.0.0.", "classifier.3."],
        "a MobileNetV3 (type = \"mobilenet_v3\") of torchvision",
    ),
    (
        &["features.0.0.", "features.8.0.", "classifier.1."],
        "an EfficientNet (type = \"efficientnet\") of torchvision",
    ),
    (&["features.denseblock1."], "a DenseNet"),
    (&["features.0.weight", "classifier.6."], "a VGG or AlexNet"),
    (
        &["layer1.0.conv1.", "layer1.0.se."],
        "a ResNet with squeeze and excitation",
    ),
    (
        &["layer1.0.conv1.", "conv1."],
        "a ResNet (type = \"resnet\")",
    ),
    (
        &["transformer.encoder.layers.", "transformer.decoder.layers."],
        "a Transformer (type = \"transformer\") of PyTorch",
    ),
    (&["lstm.weight_ih_l0"], "an LSTM (type = \"lstm\")"),
    (
        &["blocks.0.convs."],
        "a CNN (type = \"cnn\") of this program",
    ),
    (
        &["conv1.", "conv2.", "fc1.", "fc3."],
        "a LeNet (type = \"lenet\")",
    ),
];

/// What a file with tensors of these names seems to hold.
pub fn seems(names: &[&str]) -> Option<&'static str> {
    let has = |part: &&str| names.iter().any(|name| name.contains(*part));
    let found = KNOWN.iter().find(|(parts, _)| parts.iter().all(has));
    found.map(|(_, what)| *what)
}
