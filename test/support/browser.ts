import { existsSync, readdirSync, statSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import { createResampler } from '../../lib/audio/resample.js'
import { toWav } from '../../lib/audio/wav.js'
import { packagedPages } from '../../lib/page-files.js'
import { packageRoot } from '../../lib/package-root.js'
import { readClip } from './wav.js'

const candidates = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']

/** Where a Chromium is, or undefined. */
export const chromiumPath = candidates.find(path => path !== undefined && existsSync(path))

/** For `t.test`: false, or the line that says why a test is left out. */
export const skip: string | false = chromiumPath === undefined && 'no Chromium is installed (apt-get install chromium, or set CHROMIUM_PATH)'

export interface BrowserOptions {
  /** What the microphone hears once it is opened: clips of test/fixtures, and silences in seconds. */
  hears?: (string | number)[]
  /** What a person answers to the question for the microphone; default yes. */
  answers?: 'yes' | 'no'
}

export interface PageOptions {
  width?: number
  height?: number
  scheme?: 'light' | 'dark'
  /** The microphone was allowed on an earlier visit, so that nobody is asked. */
  allowed?: boolean
  /** Settings of an earlier visit, beside those of the tests. */
  settings?: object
}

export interface Browser {
  /** Opens a page for somebody who was never here, and keeps account of it. */
  open (url: string, options?: PageOptions): Promise<OpenedPage>
  close (): Promise<void>
}

export interface OpenedPage {
  page: Page
  /** What the console said that was no plain log. */
  complaints: string[]
  /** Hosts that were asked for something. */
  hosts: Set<string>
  close (): Promise<void>
}

/** The pages as they are in the source: those of the last `npm run build`, or, if something changed since, built for this test. */
export async function buildPages (t: Test): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'dramatis-pages-'))
  t.teardown(() => rm(outDir, { recursive: true }))
  const built = join(packagedPages, 'index.html')
  const newest = Math.max(...['playground', join('lib', 'client')].flatMap(folder => readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' }).map(name => statSync(join(packageRoot, folder, name)).mtimeMs)))
  if (existsSync(built) && statSync(built).mtimeMs > newest) {
    // A copy: the test of the package builds anew.
    await cp(packagedPages, outDir, { recursive: true })
    return outDir
  }
  const { build } = await import('vite')
  await build({ root: join(packageRoot, 'playground'), logLevel: 'error', build: { outDir, emptyOutDir: false } })
  return outDir
}

/** A browser with a microphone of its own, closed with the test; what it opens is closed with the test that asks for it. */
export async function openBrowser (t: Test, options: BrowserOptions = {}): Promise<(t: Test, url: string, options?: PageOptions) => Promise<OpenedPage>> {
  const browser = await launchBrowser(options)
  t.teardown(() => browser.close())
  return async (t, url, options) => {
    const opened = await browser.open(url, options)
    t.teardown(() => opened.close())
    return opened
  }
}

/** A browser with a microphone of its own, until it is closed. */
export async function launchBrowser ({ hears = [1], answers = 'yes' }: BrowserOptions = {}): Promise<Browser> {
  const folder = await mkdtemp(join(tmpdir(), 'dramatis-microphone-'))
  const file = join(folder, 'microphone.wav')
  await writeFile(file, await record(hears))
  const browser = await chromium.launch({
    executablePath: chromiumPath!,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${file}%noloop`,
      answers === 'yes' ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts'
    ]
  })

  return {
    async close () {
      await browser.close()
      await rm(folder, { recursive: true })
    },

    async open (url, { width = 1440, height = 900, scheme = 'light', allowed = false, settings = {} } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, ...allowed ? { permissions: ['microphone'] } : {} })
      // The file as it is: what Chromium does against echo and noise is not what is tested.
      const kept = JSON.stringify(JSON.stringify({ processing: false, ...settings }))
      await context.addInitScript(`if (localStorage.getItem("dramatis") === null) localStorage.setItem("dramatis", ${kept})`)
      const page = await context.newPage()
      page.setDefaultTimeout(60_000)
      const complaints: string[] = []
      const hosts = new Set<string>()
      page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
      page.on('pageerror', error => complaints.push(String(error)))
      page.on('request', request => hosts.add(new URL(request.url()).host))
      page.on('websocket', socket => hosts.add(new URL(socket.url()).host))
      await page.goto(url)
      return { page, complaints, hosts, close: () => context.close() }
    }
  }
}

/** A WAV file as Chromium's false microphone wants it: 48 kHz, mono, 16 bits. */
async function record (hears: (string | number)[]): Promise<Buffer> {
  const parts = await Promise.all(hears.map(async part => typeof part === 'number' ? new Int16Array(part * 24_000) : await readClip(part)))
  const resampler = await createResampler(24_000, 48_000)
  const samples = concat([resampler.process(concat(parts)), resampler.flush()])
  resampler.free()
  return toWav(samples, 48_000)
}

/** Waits until what changes by and by has changed: colours take a moment. */
export async function stillness (page: Page): Promise<void> {
  await page.evaluate('Promise.allSettled(document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity).map(({ finished }) => finished))')
}

/** Keeps a picture for the docs, when `SCREENSHOTS` is set. */
export async function picture (page: Page, name: string): Promise<void> {
  if (!process.env.SCREENSHOTS) return
  await stillness(page)
  await page.screenshot({ path: join(packageRoot, 'docs', 'images', `${name}.png`) })
}
