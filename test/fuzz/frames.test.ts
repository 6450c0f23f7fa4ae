import fc from 'fast-check'
import { t, type Test } from 'tap'
import { castOf } from '../support/casts.js'
import { fullEvents, hostileValues, illFormed, pathsOf, wellFormed, withValue, writeJson } from '../support/hostile/arbitraries.js'
import { Attacker } from '../support/hostile/attacker.js'
import { createRandom, mutatedFrames, recordedSessions, toFrame, type Frame } from '../support/hostile/mutations.js'
import { startServer } from '../support/server.js'

// FUZZ_SEED=n tries others; what fails prints its seed.
const seed = Number(process.env.FUZZ_SEED ?? 1)
const limits = { eventsPerSecond: 1_000_000, waitingReloads: 10_000 }
const server = await startServer(t, { characters: { directory: t.testdir(castOf('Ada', 'Bo')) }, limits })
const url = `ws://127.0.0.1:${server.port}/v1/realtime`

async function survives (frames: Iterable<Frame>, beta = false): Promise<void> {
  const attacker = await Attacker.connect(url, beta)
  for (const frame of frames) attacker.send(frame)
  const fault = await attacker.check()
  await attacker.close()
  if (fault !== null) throw new Error(fault)
}

/** Fails with the seed, and the smallest frames that do it. */
const holds = async (t: Test, property: fc.IAsyncProperty<any>, numRuns: number): Promise<void> => {
  await t.resolves(fc.assert(property, { seed, numRuns, endOnFailure: false, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false }))
}

for (const beta of [false, true]) {
  t.test(`every field of every event, with every wrong value, is answered${beta ? ', in the beta dialect too' : ''}`, async t => {
    const events = [...fullEvents(seed), ...recordedSessions.filter(session => session.beta === beta).flatMap(session => session.events)]
    const frames = new Set(events.flatMap(event => pathsOf(event).slice(1).flatMap(path => [...hostileValues, undefined].map(value => writeJson(withValue(event, path, value))))))
    t.ok(frames.size > 3000, String(frames.size))
    const all = [...frames].map(toFrame)
    for (let at = 0; at < all.length; at += 500) await t.resolves(survives(all.slice(at, at + 500), beta))
  })
}

t.test('events that are wrong somewhere are answered', t =>
  holds(t, fc.asyncProperty(fc.array(illFormed, { maxLength: 60 }), texts => survives(texts.map(toFrame))), 40))

t.test('events in any order are answered', t =>
  holds(t, fc.asyncProperty(fc.array(wellFormed, { maxLength: 40 }), async events => {
    const attacker = await Attacker.connect(url)
    for (const event of events) {
      if (!await attacker.isAnswered(event)) throw new Error(`${JSON.stringify(event)} is not answered`)
    }
    const fault = await attacker.check()
    await attacker.close()
    if (fault !== null) throw new Error(fault)
  }), 60))

t.test('what is no event is answered', t =>
  holds(t, fc.asyncProperty(fc.array(fc.oneof(
    fc.json().map(toFrame), fc.string({ unit: 'binary', maxLength: 200 }).map(toFrame),
    fc.uint8Array({ maxLength: 200 }).map(bytes => ({ data: Buffer.from(bytes), binary: true }))
  ), { maxLength: 60 }), frames => survives(frames)), 40))

for (const beta of [false, true]) {
  t.test(`mutated recorded sessions are answered${beta ? ', in the beta dialect too' : ''}`, async t => {
    const frames = mutatedFrames(createRandom(seed), recordedSessions.filter(session => session.beta === beta))
    for (let run = 0; run < 25; run++) await t.resolves(survives(Array.from({ length: 200 }, () => frames.next().value), beta), `seed ${seed}, run ${run}`)
  })
}

t.test('a frame that is no UTF-8 ends its own session with 1007, and no other', async t => {
  const other = await Attacker.connect(url)
  for (const bytes of [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d]]) {
    const attacker = await Attacker.connect(url)
    attacker.socket.send(Buffer.from(bytes), { binary: false })
    t.equal(await attacker.closed, 1007)
  }
  t.equal(await other.check(), null)
  await other.close()
})

t.test('no event changed what all objects inherit', async t => {
  t.notOk('polluted' in {})
})
