// Uses the page of `serve` in Chromium, on a wide and on a narrow screen, light and dark. Prints as JSON what is wrong with it, and
// what it answered.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, url, image] = process.argv.slice(2);
const require = createRequire(modules + "/");
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const found = { errors: [], requests: [], violations: [], wide: [] };
try {
  for (const [width, scheme] of [[1280, "light"], [390, "dark"]]) {
    const page = await browser.newPage();
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    page.on("console", (message) => message.type() === "error" && !message.text().includes("400") && found.errors.push(message.text()));
    page.on("pageerror", (error) => found.errors.push(String(error)));
    page.on("request", (request) => !/^(data|blob):/.test(request.url()) && !request.url().startsWith(url) && found.requests.push(request.url()));
    await page.goto(url, { waitUntil: "networkidle0" });
    await page.evaluate(axe);
    const look = async (where) => {
      const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, nodes } of result.violations) found.violations.push(`${scheme} ${where} ${id}: ${nodes[0].target} ${nodes[0].failureSummary}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) found.wide.push(`${where} ${width}: ${over} pixels beyond the screen`);
    };
    const answer = async () => {
      await page.click("#send");
      // Asked by hand: waitForFunction makes functions out of texts, which the policy of the page does not allow.
      const isThere = () => page.evaluate(() => document.querySelector("#answer").textContent && !document.querySelector("#send").disabled);
      const until = Date.now() + 30000;
      while (!(await isThere())) {
        if (Date.now() > until) throw new Error("the page gives no answer");
        await new Promise((next) => setTimeout(next, 20));
      }
      return page.$eval("#answer", (node) => node.textContent);
    };
    await page.select("#model", "iris");
    const row = ["5.1", "3.5", "1.4", "0.2"];
    for (const [index, value] of row.entries()) await page.type(`#column-${index}`, value);
    found.iris = await answer();
    await look("iris");
    await page.type("#column-1", "oak");
    found.bad = await answer();
    await look("error");
    await page.select("#model", "digits");
    await (await page.$("#file")).uploadFile(image);
    found.digits = await answer();
    await look("digits");
    await page.select("#model", "poet");
    await page.type("#prompt", "one potter");
    found.poet = await answer();
    await look("poet");
    await page.close();
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(found));
