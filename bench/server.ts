import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../lib/package-root.js'

/** A built server in a process of its own, so that what is measured is not the client. */
export interface BenchServer {
  child: ChildProcess
  /** `http://127.0.0.1:port` */
  url: string
  /** Milliseconds from the spawn to listening. */
  readyMs: number
  /** Megabytes of RSS. */
  memory (): number
  /** Seconds of CPU so far, user and system. */
  cpu (): number
  stop (): Promise<void>
}

/** How `npm start` runs Node. */
export const flags = ['--enable-source-maps', '--max-semi-space-size=32']

/** The standalone server, local engines and all, as `npm start` runs it. */
export function startServer (environment: Record<string, string> = {}): Promise<BenchServer> {
  return start([...flags, join(packageRoot, 'dist', 'server.js')], { PORT: '0', LOG_LEVEL: 'warn', ...environment })
}

/** The plugin with engines that cost nothing, for what is not about them; the model answers with the first line of its system prompt. `nodeFlags` default to those of `npm start`. */
export function startPlugin (options: object = {}, nodeFlags: readonly string[] = flags): Promise<BenchServer> {
  return start([...nodeFlags, '--input-type=module', '--eval', `
    import Fastify from 'fastify'
    import dramatis from ${JSON.stringify(join(packageRoot, 'dist', 'app.js'))}
    const engine = { name: 'canned', voices: ['one'], async * detect () {}, async * transcribe () {}, async * synthesize () {} }
    const llm = {
      name: 'canned',
      model: 'canned',
      async * generate ({ messages: [{ content }] }) {
        for (const delta of content.split('\\n', 1)[0].match(/\\s*\\S+/g).slice(0, 8)) yield { type: 'text', delta }
        yield { type: 'end', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } }
      }
    }
    const app = Fastify()
    await app.register(dramatis, { vad: engine, stt: engine, tts: engine, llm, ...${JSON.stringify(options)} })
    console.log('listens on ' + await app.listen({ host: '127.0.0.1', port: 0 }))
    process.once('SIGTERM', () => process.exit())`], {})
}

/** Any module that prints `listens on URL`. */
export async function start (args: string[], environment: Record<string, string>): Promise<BenchServer> {
  const began = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: packageRoot, env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'inherit']
  })
  const url = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
      const match = /listens on (http\S+)/.exec(output)
      if (match !== null) resolve(match[1]!)
    })
    child.once('exit', () => reject(new Error('The server did not start: run npm run build first.')))
  })
  return {
    child,
    url,
    readyMs: performance.now() - began,
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1000,
    cpu: () => {
      // Fields 14 and 15 of proc(5) stat, in hundredths of a second; the name before them may hold spaces.
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    stop: async () => {
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
    }
  }
}
