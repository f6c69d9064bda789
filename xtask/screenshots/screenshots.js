// Screenshots of HTML pages: node screenshots.js DIRECTORY PAGE...
// Writes NAME-WIDTH-THEME.png for widths of a desktop, GitHub and a phone in both themes, and NAME.pdf as printed. With
// "--picture FILE", writes instead the top of one page to FILE. A script error or a page wider than its window is an error.

import path from "node:path";
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const WIDTHS = [1440, 1012, 390];
const THEMES = ["light", "dark"];
const PICTURE = { width: 1012, height: 1240 };

const [target, ...pages] = process.argv.slice(2);
const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: await chromium.executablePath(),
  headless: "shell",
  timeout: 60_000,
});
let failed = false;

async function open(file, width, theme) {
  const page = await browser.newPage();
  page.on("pageerror", error => {
    console.error(`${file}: ${error.message}`);
    failed = true;
  });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(pathToFileURL(path.resolve(file)).href);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) {
    console.error(`${file}: ${wide} pixels wide in a window of ${width}`);
    failed = true;
  }
  return page;
}

// Chromium repeats a page above this height.
const TALLEST = 8000;

async function whole(page, width) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  return { x: 0, y: 0, width, height: Math.min(height, TALLEST) };
}

if (target === "--picture") {
  const [file, source] = pages;
  const page = await open(source, PICTURE.width, "light");
  await page.screenshot({ path: file, clip: { x: 0, y: 0, ...PICTURE } });
  console.log(file);
} else {
  for (const file of pages) {
    const name = path.join(target, path.basename(file, ".html"));
    for (const width of WIDTHS) {
      for (const theme of THEMES) {
        const page = await open(file, width, theme);
        await page.screenshot({ path: `${name}-${width}-${theme}.png`, clip: await whole(page, width) });
        console.log(`${name}-${width}-${theme}.png`);
        await page.close();
      }
    }
    const page = await open(file, 1012, "light");
    await page.pdf({ path: `${name}.pdf`, preferCSSPageSize: true });
    console.log(`${name}.pdf`);
    await page.close();
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
