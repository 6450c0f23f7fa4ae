import Fastify from 'fastify'
import dramatis from '../app.js'
import { TestClient } from '../test/support/client.js'
import { ANSWER, surviveFault } from '../test/support/cuts.js'
import { cannedEngines, says } from '../test/support/engines.js'
import { manners, Saboteur, stages, type Fault } from '../test/support/saboteur.js'
import { round, type Figure } from './figure.js'

/** Servers that are tortured at the same time, each with a session of its own. */
const SERVERS = 8

/** Every engine is cut at every one of its messages in every manner: how many sessions answer the next turn. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const messages: Record<Fault['stage'], number> = { vad: 26, stt: 2, llm: 8, tts: 10 }
  const once = stages.flatMap(stage => manners.flatMap(manner => Array.from({ length: messages[stage] }, (_, at): Fault => ({ stage, at, manner }))))
  const faults = quick ? once : [...once, ...once, ...once, ...once]
  let struck = 0
  let answered = 0
  const before = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  const since = performance.now()
  await Promise.all(Array.from({ length: SERVERS }, async () => {
    const saboteur = new Saboteur()
    const app = Fastify()
    await app.register(dramatis, { ...saboteur.wrap(cannedEngines(() => says(ANSWER))), characters: { default: null }, limits: { drainSeconds: 0 } })
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const client = await TestClient.connect(`${url.replace('http', 'ws')}/v1/realtime`)
    for (let fault = faults.pop(); fault !== undefined; fault = faults.pop()) {
      const result = await surviveFault(client, saboteur, fault)
      if (!result.struck) continue
      struck++
      if (result.answered) answered++
    }
    await client.close()
    await app.close()
  }))
  const timers = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length - before
  return [
    { name: 'faults injected', value: struck, unit: '', ...quick ? {} : { floor: 500 }, note: `engines cut at each of their messages, in ${round((performance.now() - since) / 1000)} s` },
    { name: 'next turn answered', value: round(100 * answered / struck), unit: '%', floor: 100 },
    { name: 'timers left', value: Math.max(0, timers), unit: '', limit: 0 }
  ]
}
