import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { percentile, round, type Figure } from './figure.js'
import { now } from './overhead/clock.js'
import { start, startServer, type BenchServer } from './server.js'

const RESPONSES = 100

/**
 * The built server between a model that streams and clients that read, each in a process of its own with one clock: how
 * much later a token arrives than it was sent; and the same through a relay that does nothing else.
 */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const model = await start(script('model'), { TOKENS: quick ? '100' : '250' })
  try {
    const relay = await measure(await start(script('relay'), { MODEL: `${model.url}/v1` }), '')
    const ours = await measure(await startServer({ LLM_BASE_URL: `${model.url}/v1`, LLM_MODEL: 'stopwatch', DEFAULT_CHARACTER: 'none' }), '/v1/realtime')
    return [
      { name: 'responses at a time', value: RESPONSES, unit: '', note: `${ours.late.length} tokens in ${round(ours.seconds)} s` },
      { name: 'upstream token to our delta p50', value: round(percentile(ours.late, 50)), unit: 'ms', note: 'written there to read by the client, the machine\'s own delays included' },
      { name: 'upstream token to our delta p99', value: round(percentile(ours.late, 99)), unit: 'ms' },
      { name: 'through a bare relay p50', value: round(percentile(relay.late, 50)), unit: 'ms', note: 'node:http to ws, the same model and clients' },
      { name: 'through a bare relay p99', value: round(percentile(relay.late, 99)), unit: 'ms' },
      { name: 'added by us p99', value: round(percentile(ours.late, 99) - percentile(relay.late, 50)), unit: 'ms', limit: 2, note: 'our p99 less the p50 of the relay' },
      { name: 'the same of its first answers', value: round(percentile(ours.first, 99)), unit: 'ms', note: 'p99 of upstream token to our delta while a server just started still compiles its code' },
      { name: 'CPU a token', value: round(ours.cpu), unit: 'µs', note: `of the relay ${round(relay.cpu)} µs` }
    ]
  } finally {
    await model.stop()
  }
}

const script = (name: string) => ['--import', 'tsx', fileURLToPath(new URL(`overhead/${name}.ts`, import.meta.url))]

/** Milliseconds from writing to reading, of each token, and of each in the round before; microseconds of CPU a token. */
interface Delays { late: number[], first: number[], seconds: number, cpu: number }

/** Two rounds of answers at a time; the second counts. Stops the server. */
async function measure (server: BenchServer, path: string): Promise<Delays> {
  try {
    let late: number[] = []
    const sockets = await Promise.all(Array.from({ length: RESPONSES }, async () => {
      const socket = new WebSocket(server.url.replace('http', 'ws') + path)
      await once(socket, 'open')
      return socket
    }))
    const ask = async (): Promise<{ seconds: number, cpu: number }> => {
      late = []
      const cpu = server.cpu()
      const since = performance.now()
      await Promise.all(sockets.map(socket => new Promise<void>(resolve => {
        const onMessage = (data: Buffer): void => {
          const read = now()
          const text = data.toString('latin1')
          if (text.startsWith('{"type":"response.output_text.delta"')) {
            const sent = Number(text.slice(text.lastIndexOf(':"') + 2, -2))
            if (sent > 0) late.push(read - sent)
          } else if (text.startsWith('{"type":"response.done"')) {
            socket.off('message', onMessage)
            resolve()
          }
        }
        socket.on('message', onMessage)
        socket.send(JSON.stringify({ type: 'response.create', response: { output_modalities: ['text'], conversation: 'none', instructions: 'Go.' } }))
      })))
      return { seconds: (performance.now() - since) / 1000, cpu: (server.cpu() - cpu) * 1e6 / late.length }
    }
    await ask()
    const first = late
    const { seconds, cpu } = await ask()
    for (const socket of sockets) socket.terminate()
    return { late, first, seconds, cpu }
  } finally {
    await server.stop()
  }
}
