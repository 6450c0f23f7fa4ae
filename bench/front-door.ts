import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../lib/package-root.js'
import { readPages } from '../lib/page-files.js'
import { chromiumPath, launchBrowser, skip, type OpenedPage } from '../test/support/browser.js'
import { castOf } from '../test/support/casts.js'
import { percentile, round, type Figure } from './figure.js'
import { startServer, type BenchServer } from './server.js'

const FILES = 50

/** What a newcomer waits for: the page, the way of the sound through it, and the check of a cast. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const figures = [await checking(quick ? 3 : 10)]
  if (chromiumPath === undefined) {
    process.stderr.write(`front-door: the page is left out, ${String(skip)}\n`)
    return figures
  }
  const turns = quick ? 2 : 6
  const server = await startServer()
  const browser = await launchBrowser({ hears: [4, ...Array.from({ length: turns }, () => ['austen-0880', 7]).flat(), 60] })
  try {
    const loads: number[] = []
    // The first tab also warms the browser itself, which is no part of the page.
    for (let visit = 0; visit <= (quick ? 3 : 10); visit++) loads.push(await firstLoad(await browser.open('about:blank'), server))
    return [
      ...figures,
      { name: 'first load p95', value: round(percentile(loads.slice(1), 95)), unit: 'ms', limit: 1000, note: 'nothing cached, to the load event' },
      { name: 'page, gzipped', value: round(await weight()), unit: 'KB', limit: 150, note: 'scripts, styles, worklets and icon of both pages' },
      ...await talking(await browser.open(server.url), turns)
    ]
  } finally {
    await browser.close()
    await server.stop()
  }
}

async function firstLoad ({ page, close }: OpenedPage, { url }: BenchServer): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.clearBrowserCache')
  await page.goto(url)
  const took = await page.evaluate('performance.getEntriesByType("navigation")[0].loadEventEnd') as number
  await close()
  return took
}

async function weight (): Promise<number> {
  return [...readPages().values()].reduce((sum, { gzip }) => sum + gzip.length, 0) / 1000
}

/** Somebody talks, and the page measures; one click. */
async function talking ({ page }: OpenedPage, turns: number): Promise<Figure[]> {
  const began = performance.now()
  await page.getByRole('button', { name: 'Start talking' }).click()
  await until(page, 'Number(document.querySelectorAll("[role=meter]")[1].getAttribute("aria-valuenow")) > 20')
  const heard = performance.now() - began
  const seen: Record<'capture' | 'playback', number[]> = { capture: [], playback: [] }
  for (let turn = 1; turn <= turns; turn++) {
    await until(page, `/^${turn}\\b/.test(document.querySelector(".latency tbody th")?.textContent) && /^\\d+$/.test(document.querySelector(".latency tbody td:last-child").textContent)`)
    for (const name of ['capture', 'playback'] as const) seen[name].push(parseInt(await page.locator(`[data-figure=${name}]`).innerText()))
  }
  const gaps = Number(await page.locator('[data-figure=gaps]').innerText())
  const note = `as the page measures it, ${turns} spoken turns; the longest`
  return [
    { name: 'click to greeting heard', value: round(heard), unit: 'ms', note: 'one click; the microphone is allowed already' },
    { name: 'microphone to wire', value: round(Math.max(...seen.capture)), unit: 'ms', limit: 150, note },
    { name: 'delta to speaker', value: round(Math.max(...seen.playback)), unit: 'ms', limit: 150, note },
    { name: 'gaps in the sound', value: gaps, unit: '' }
  ]
}

/** The page's policy allows no code from strings, so it is asked again and again from outside. */
async function until (page: OpenedPage['page'], condition: string): Promise<void> {
  while (await page.evaluate(condition) !== true) await page.waitForTimeout(5)
}

/** `dramatis check` of a cast of many files, the start of the process included. */
async function checking (runs: number): Promise<Figure> {
  const directory = await mkdtemp(join(tmpdir(), 'dramatis-check-'))
  try {
    const cast = castOf(...Array.from({ length: FILES }, (_, index) => `Somebody ${index}`))
    for (const [file, source] of Object.entries(cast)) await writeFile(join(directory, file), source)
    const times: number[] = []
    for (let run = 0; run < runs; run++) {
      const began = performance.now()
      const child = spawn(process.execPath, [join(packageRoot, 'dist', 'cli', 'dramatis.js'), 'check', directory], { stdio: 'ignore' })
      const [code] = await once(child, 'close')
      if (code !== 0) throw new Error(`check ended with ${code}`)
      times.push(performance.now() - began)
    }
    return { name: `check of ${FILES} files p95`, value: round(percentile(times, 95)), unit: 'ms', limit: 1000, note: 'a process from its start to its end' }
  } finally {
    await rm(directory, { recursive: true })
  }
}
