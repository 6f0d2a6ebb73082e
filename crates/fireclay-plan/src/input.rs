//! What goes into the model of a run, of whatever workload: from the data as it is read for training, or
//! where there is none yet, from the configuration and assumptions.

use std::rc::Rc;

use fireclay_run::RunData;
use fireclay_run::config::RunConfig;
use fireclay_run::workload::{
    Assumptions, InputSpec, Shape, WithData, WithWorkload, Workload, with_workload,
};

use crate::resident::Reading;
use crate::subject::Subject;

/// What goes into a model, and how its subject is made.
#[derive(Clone)]
pub(crate) struct Input {
    pub spec: InputSpec,
    /// What reading the data took of main memory, where it was read and the system says it.
    pub reading: Option<Reading>,
    make: Rc<Make>,
}

type Make = dyn Fn(&RunConfig, &InputSpec) -> Result<Subject, (String, String)>;

impl Input {
    fn new<W: Workload>(shape: Shape<W>, spec: InputSpec, reading: Option<Reading>) -> Self {
        let make =
            move |config: &RunConfig, spec: &InputSpec| Subject::new::<W>(config, &shape, spec);
        Self {
            spec,
            reading,
            make: Rc::new(make),
        }
    }

    /// What the data says.
    pub fn of_data(config: &RunConfig, data: &RunData) -> Self {
        data.with(OfData(config))
    }

    /// What the configuration says, and what is assumed beyond it.
    ///
    /// # Errors
    ///
    /// A key and what is missing, where neither says enough.
    pub fn of_config(config: &RunConfig, given: &Assumptions) -> Result<Self, (String, String)> {
        with_workload(config, OfConfig(config, given))
    }

    /// The model that `config` describes, for this input.
    ///
    /// # Errors
    ///
    /// A key and what is wrong with it, where patterns of names fit no tensor.
    pub fn subject(&self, config: &RunConfig) -> Result<Subject, (String, String)> {
        (self.make)(config, &self.spec)
    }

    /// The same with other lengths of texts.
    pub fn with_lengths(&self, lengths: [usize; 2]) -> Self {
        let mut input = self.clone();
        input.spec.lengths = lengths;
        input
    }
}

struct OfData<'a>(&'a RunConfig);

impl WithData for OfData<'_> {
    type Output = Input;

    fn with<W: Workload>(self, data: &W::Data) -> Input {
        Input::new::<W>(
            W::shape(self.0, data),
            W::input_spec(self.0, data),
            Reading::now(),
        )
    }
}

struct OfConfig<'a>(&'a RunConfig, &'a Assumptions);

impl WithWorkload for OfConfig<'_> {
    type Output = Result<Input, (String, String)>;

    fn with<W: Workload>(self) -> Self::Output {
        let (shape, spec) = W::assume(self.0, self.1)?;
        Ok(Input::new::<W>(shape, spec, None))
    }
}
