import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'
import { program } from './program.js'

/** What the server logs of itself and must never have to; what character code forgets is told in other words. */
const FORGOTTEN = /"msg":"(A promise was rejected and nobody awaits it|An error was thrown and nobody caught it)"/

/** Environment of a server to which nobody speaks aloud: that the local engines are loaded takes as long as all the rest of its start. */
export const withoutSpeech = { STT_BASE_URL: 'http://127.0.0.1:1', STT_MODEL: 'x', TTS_BASE_URL: 'http://127.0.0.1:1', TTS_MODEL: 'x' }

/** The server as its own process, as `npm start` runs it, with nothing in its environment but what a test sets. */
export class ServerProcess {
  readonly child: ChildProcess
  readonly exited: Promise<{ code: number | null, signal: NodeJS.Signals | null }>
  output = ''
  #wake: (() => void) | null = null

  private constructor (environment: Record<string, string>, buggy: boolean) {
    const bugs = buggy ? ['--import', pathToFileURL(join(packageRoot, 'test', 'support', 'buggy.mjs')).href] : []
    this.child = spawn(process.execPath, ['--max-semi-space-size=32', ...bugs, ...program('server')], {
      cwd: packageRoot,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...environment }
    })
    const take = (chunk: Buffer) => {
      this.output += chunk
      this.#wake?.()
    }
    this.child.stdout!.on('data', take)
    this.child.stderr!.on('data', take)
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#wake?.()
      return { code, signal }
    })
  }

  /** @param buggy whether the server has bugs of its own, one of each kind at every SIGUSR2; else it fails its test by one */
  static start (t: Test, environment: Record<string, string> = {}, buggy = false): ServerProcess {
    const server = new ServerProcess(environment, buggy)
    t.teardown(async () => {
      server.child.kill('SIGKILL')
      await server.exited
      if (!buggy && FORGOTTEN.test(server.output)) throw new Error(`Something of the server's own was not awaited or not caught:\n${server.output}`)
    })
    return server
  }

  /** Waits for text in the output; the match. */
  async prints (pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null) throw new Error(`The server ended before it printed ${pattern}:\n${this.output}`)
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  /** The port it listens on, once it says so. */
  async port (): Promise<number> {
    return Number((await this.prints(/Dramatis listens on https?:\/\/[^\s]*:(\d+)/))[1])
  }
}
