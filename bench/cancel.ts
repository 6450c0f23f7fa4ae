import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Worker } from 'node:worker_threads'
import Fastify from 'fastify'
import dramatis from '../app.js'
import type { TtsEngine } from '../lib/engines/engine.js'
import type { FromWorker } from '../lib/engines/local/rpc.js'
import { createLocalTts } from '../lib/engines/local/tts.js'
import { TestClient } from '../test/support/client.js'
import { cannedEngines } from '../test/support/engines.js'
import { round, slope, type Figure } from './figure.js'

setFlagsFromString('--expose_gc')
// What V8 keeps of code that it optimises grows for thousands of responses, and is not what is looked for.
setFlagsFromString('--no-opt')
setFlagsFromString('--no-sparkplug')
setFlagsFromString('--no-flush-bytecode')
const collectGarbage = runInNewContext('gc') as () => void

/** Responses under way at a time. */
const SESSIONS = 10
/** Parts of the run, after each of which is counted. */
const ROUNDS = 10
/** Responses before the first count: they compile what the others use. */
const WARM_UP = 1000

/** Spoken responses that are cancelled at any moment: what is left of them, upstream and here. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const responses = quick ? 200 : 1000
  // Under way at the moment.
  const open = { upstream: 0, voice: 0 }
  const upstream = createServer((request, response) => {
    if (request.url === '/v1/models') {
      response.writeHead(404).end()
      return
    }
    open.upstream++
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const say = (content: string) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)
    const timer = setInterval(() => say('and on and on, '), 10)
    response.on('close', () => {
      clearInterval(timer)
      open.upstream--
    })
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))

  const workers: Worker[] = []
  const onWorker = (worker: Worker) => { workers.push(worker) }
  process.on('worker', onWorker)
  const local = createLocalTts({ threads: 1 })
  await local.start!()
  process.off('worker', onWorker)
  const tts: TtsEngine = {
    ...local,
    get voices () { return local.voices },
    async * synthesize (text, options) {
      open.voice++
      try {
        yield * local.synthesize(text, options)
      } finally {
        open.voice--
      }
    }
  }
  const app = Fastify()
  const sockets = new Set<Socket>()
  app.server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await app.register(dramatis, {
    ...cannedEngines(),
    tts,
    characters: { default: null },
    limits: { drainSeconds: 0 },
    llm: { baseUrl: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`, model: 'endless' }
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => TestClient.connect(`${url.replace('http', 'ws')}/v1/realtime`)))

  const run = async (count: number) => {
    let left = count
    await Promise.all(clients.map(async client => {
      while (left-- > 0) {
        client.send({ type: 'response.create', response: { conversation: 'none', input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Speak.' }] }], metadata: { n: String(left) } } })
        const { response } = await client.next('response.created')
        await delay(Math.random() * 200)
        client.send({ type: 'response.cancel', response_id: response.id })
        await client.next('response.done')
        client.forget()
      }
    }))
    // The last abort is on its way.
    for (let waited = 0; waited < 3000 && (open.upstream > 0 || open.voice > 0); waited += 50) await delay(50)
    await delay(1000)
    collectGarbage()
    collectGarbage()
    return { heap: process.memoryUsage().heapUsed, timers: timers(), listeners: listeners(), ...open }
  }
  const listeners = () => [...sockets].reduce((sum, socket) => sum + socket.eventNames().reduce((all, name) => all + socket.listenerCount(name), 0), 0)

  const since = performance.now()
  const before = await run(quick ? 200 : WARM_UP)
  const heaps: [responses: number, bytes: number][] = []
  let after = before
  for (let round = 1; round <= ROUNDS; round++) {
    after = await run(responses / ROUNDS)
    heaps.push([round * responses / ROUNDS, after.heap])
  }
  const held = await Promise.all(workers.map(count))
  const asked = performance.now()
  for await (const { audio } of local.synthesize((async function * () { yield 'Is anybody there?' })(), { signal: new AbortController().signal, voice: local.voices[0]! })) if (audio.length > 0) break
  const firstSound = performance.now() - asked
  for (const client of clients) await client.close()
  await app.close()
  await local.close?.()
  upstream.closeAllConnections()
  upstream.close()
  return [
    { name: 'responses cancelled', value: responses, unit: '', note: `at a random moment of their first 200 ms, ${SESSIONS} at a time, ${round((performance.now() - since) / 1000)} s` },
    { name: 'upstream requests left', value: after.upstream, unit: '', limit: 0 },
    { name: 'streams of the voice left', value: after.voice, unit: '', limit: 0 },
    { name: 'timers left', value: Math.max(0, after.timers - before.timers), unit: '', limit: 0 },
    { name: 'listeners left on connections', value: Math.max(0, after.listeners - before.listeners), unit: '', limit: 0 },
    { name: 'streams and tasks left in the worker', value: held.reduce((sum, { streams, tasks }) => sum + streams + tasks, 0), unit: '', limit: 0, note: 'as it counts itself' },
    { name: 'heap kept a response', value: round(Math.max(0, slope(heaps))), unit: 'B', limit: 200, note: `slope over ${ROUNDS} rounds after ${WARM_UP} responses that are not counted, in MB: ${heaps.map(([, bytes]) => (bytes / 1e6).toFixed(2)).join(' ')}` },
    { name: 'first sound of the next one who speaks', value: round(firstSound), unit: 'ms', limit: 150, note: 'the worker renders for nobody else' }
  ]
}

/** What a worker says that it has under way. */
function count (worker: Worker): Promise<Extract<FromWorker, { op: 'count' }>> {
  return new Promise(resolve => {
    const onMessage = (messages: FromWorker[]) => {
      const answer = messages.find(message => message.op === 'count')
      if (answer === undefined) return
      worker.off('message', onMessage)
      resolve(answer)
    }
    worker.on('message', onMessage)
    worker.postMessage([{ op: 'count' }])
  })
}

function timers (): number {
  return process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
}
