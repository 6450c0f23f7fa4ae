import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { TestClient } from '../test/support/client.js'
import { percentile, round, type Figure } from './figure.js'
import { startServer } from './server.js'

const RESPONSES = 100
/** Pause between two tokens of an answer, as of a fast model. Milliseconds. */
const TOKEN_MS = 40

/** The built server between a model that streams and clients that read: how much later a token arrives than it was sent. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const tokens = quick ? 100 : 400
  const upstream = createServer((request, response) => {
    if (request.url === '/v1/models') response.writeHead(404).end()
    else stream(response, tokens).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  const server = await startServer({ LLM_BASE_URL: `http://127.0.0.1:${port}/v1`, LLM_MODEL: 'stopwatch', DEFAULT_CHARACTER: 'none' })
  try {
    const late: number[] = []
    const clients = await Promise.all(Array.from({ length: RESPONSES }, () => TestClient.connect(`${server.url.replace('http', 'ws')}/v1/realtime`)))
    const answers = clients.map(({ socket }) => new Promise<void>(resolve => {
      // Nothing but the clock: what the client itself takes would count as ours.
      socket.removeAllListeners('message')
      socket.on('message', (data: Buffer) => {
        const now = performance.now()
        const text = data.toString('latin1')
        if (text.startsWith('{"type":"response.output_text.delta"')) {
          const sent = Number(text.slice(text.lastIndexOf(':"') + 2, -2))
          if (sent > 0) late.push(now - sent)
        } else if (text.startsWith('{"type":"response.done"')) resolve()
      })
    }))
    const cpu = server.cpu()
    const since = performance.now()
    for (const client of clients) {
      client.say('Go.')
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
    }
    await Promise.all(answers)
    const seconds = (performance.now() - since) / 1000
    const used = server.cpu() - cpu
    for (const client of clients) client.socket.terminate()
    return [
      { name: 'responses at a time', value: RESPONSES, unit: '', note: `${late.length} tokens in ${round(seconds)} s` },
      { name: 'upstream token to our delta p50', value: round(percentile(late, 50)), unit: 'ms', note: 'written there to read by the client: two loopback connections, and the delays of upstream and client, included' },
      { name: 'upstream token to our delta p99', value: round(percentile(late, 99)), unit: 'ms', limit: 2 },
      { name: 'CPU a token', value: round(used * 1e6 / late.length), unit: 'µs' }
    ]
  } finally {
    await server.stop()
    upstream.closeAllConnections()
    upstream.close()
  }
}

/** An answer whose tokens are the times at which they were sent. */
async function stream (response: ServerResponse, tokens: number): Promise<void> {
  const chunk = (delta: object, reason: string | null = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'stopwatch', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  // Each at its own moment: real models do not answer in step.
  await delay(Math.random() * 1000)
  for (let n = 0; n < tokens && !response.destroyed; n++) {
    response.write(chunk({ content: `${performance.now()} ` }))
    await delay(TOKEN_MS * (0.5 + Math.random()))
  }
  response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`)
}
