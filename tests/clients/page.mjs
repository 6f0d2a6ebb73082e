// Opens a page in Chromium, on a wide and on a narrow screen, light and dark. Prints what is wrong with it, as JSON: errors
// and requests of the page, violations that axe-core finds, charts that answer neither to a pointer nor to the keyboard.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, url] = process.argv.slice(2);
const require = createRequire(modules + "/");
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const found = { errors: [], requests: [], violations: [], silent: [], charts: 0, wide: [], seconds: 0 };
try {
  for (const [width, scheme] of [[1280, "light"], [390, "dark"]]) {
    const page = await browser.newPage();
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    page.on("console", (message) => message.type() === "error" && found.errors.push(message.text()));
    page.on("pageerror", (error) => found.errors.push(String(error)));
    page.on("request", (request) => !request.url().startsWith(url) && !request.url().startsWith("data:") && found.requests.push(request.url()));
    const start = performance.now();
    await page.goto(url, { waitUntil: "load" });
    found.seconds = Math.max(found.seconds, (performance.now() - start) / 1000);
    await page.evaluate(axe);
    const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, nodes } of result.violations) found.violations.push(`${scheme} ${id}: ${nodes[0].target} ${nodes[0].failureSummary}`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) found.wide.push(`${width}: ${over} pixels beyond the screen`);
    const plots = await page.$$(".plot");
    found.charts = plots.length;
    for (const [index, plot] of plots.entries()) {
      const said = () => plot.evaluate((plot) => plot.querySelector(".tip").textContent);
      await plot.evaluate((plot) => plot.scrollIntoView({ block: "center", behavior: "instant" }));
      const focus = (await plot.$("[tabindex]")) || plot;
      await focus.focus();
      await page.keyboard.press("Home");
      if (!(await said())) found.silent.push(`keyboard, chart ${index}`);
      await page.keyboard.press("Escape");
      const mark = await plot.$("[data-tip]");
      const box = mark && (await mark.boundingBox());
      if (box) {
        await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 2 });
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        if (!(await said())) found.silent.push(`pointer, chart ${index}`);
      }
      await page.mouse.move(0, 0);
    }
    await page.close();
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(found));
