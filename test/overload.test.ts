import t from 'tap'
import { Overload } from '../lib/overload.js'
import type { SpeechFrame } from '../lib/engines/engine.js'
import { nobody } from './support/casts.js'
import { cannedEngines, tone } from './support/engines.js'
import { startServer } from './support/server.js'
import { latch } from './support/transcript.js'

t.test('one late moment refuses nobody, a while of them does, and one good moment lets nobody in', async t => {
  const overload = new Overload({ eventLoopLagMs: 100, engineLagMs: 1000 }, () => 0)
  const look = (times: number, loop: number, engine = 0) => { for (let n = 0; n < times; n++) overload.look(loop, engine) }
  look(3, 150)
  look(1, 80)
  look(3, 150)
  t.notOk(overload.refusing)
  look(1, 0, 1500)
  t.ok(overload.refusing, 'an engine counts as the event loop does')
  look(20, 80)
  t.ok(overload.refusing, 'half of the limit has to be free')
  look(5, 10)
  look(1, 150)
  look(5, 10)
  t.ok(overload.refusing)
  look(1, 10)
  t.notOk(overload.refusing)
})

t.test('what is off refuses nobody', async t => {
  const overload = new Overload({ eventLoopLagMs: 0, engineLagMs: 0 }, () => 0)
  for (let n = 0; n < 10; n++) overload.look(5000, 5000)
  t.notOk(overload.refusing)
})

t.test('while a local engine is behind, new sessions are refused, and taken when it has caught up', async t => {
  const canned = cannedEngines()
  const behind = latch()
  const server = await startServer(t, {
    ...canned,
    characters: nobody,
    limits: { engineLagMs: 200 },
    vad: {
      name: 'local',
      async * detect (audio, options): AsyncGenerator<SpeechFrame> {
        await behind.opened
        yield * canned.vad.detect(audio, options)
      }
    }
  })
  const client = await server.connect()
  client.append(tone(1000))
  let page = ''
  while (!/^dramatis_overloaded 1$/m.test(page)) page = await (await fetch(`${server.http}/metrics`)).text()
  t.ok(Number(/^dramatis_engine_lag_seconds\{engine="vad"\} (.*)$/m.exec(page)?.[1]) > 0.2, 'the lag is to be seen')
  await t.rejects(server.connect(), /503/)
  const ready = await fetch(`${server.http}/health/ready`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { status: 'degraded', overloaded: true, engines: { stt: 'up', llm: 'up', tts: 'up' } })
  t.equal(await client.ask('Still there?'), 'You said: Still there?', 'who was there is served')
  t.match(await (await fetch(`${server.http}/metrics`)).text(), 'dramatis_sessions_rejected_total{reason="server_overloaded"} 1')
  behind.open()
  while (!/^dramatis_overloaded 0$/m.test(page)) page = await (await fetch(`${server.http}/metrics`)).text()
  t.equal(await (await server.connect()).ask('Hello'), 'You said: Hello')
})
