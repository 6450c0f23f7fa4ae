/** A language model whose tokens are the times at which they were sent, in milliseconds of the machine's monotonic clock. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { now } from './clock.js'

/** Pause between two tokens of an answer, as of a fast model. Milliseconds. */
const TOKEN_MS = 40

const tokens = Number(process.env['TOKENS'])

const chunk = (delta: object, reason: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'stopwatch', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
const [head, tail] = chunk({ content: '|' }).split('|')

async function answer (response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  // Each at its own moment: real models do not answer in step.
  await delay(Math.random() * 1000)
  for (let n = 0; n < tokens && !response.destroyed; n++) {
    response.write(`${head}${now().toFixed(3)} ${tail}`)
    await delay(TOKEN_MS * (0.5 + Math.random()))
  }
  response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`)
}

const server = createServer((request, response) => {
  if (request.url === '/v1/models') response.writeHead(404).end()
  else answer(response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => process.exit())
