import { setImmediate as turn } from 'node:timers/promises'
import { t, type Test } from 'tap'
import { WebSocket } from 'ws'
import { castOf, characterSource } from '../support/casts.js'
import { Attacker } from '../support/hostile/attacker.js'
import { recordedSessions, type RecordedSession } from '../support/hostile/mutations.js'
import { samplesOf } from '../support/prometheus.js'
import { startServer } from '../support/server.js'

const directory = t.testdir(castOf('Ada', 'Bo'))
// What reloads take longest for: files of which each waits for a while.
const slow = t.testdir({ 'slow.ts': characterSource('Slow') + '\nawait new Promise(resolve => setTimeout(resolve, 5))\n' })
const server = await startServer(t, { characters: { directory, roots: { slow } } })
const url = `ws://127.0.0.1:${server.port}/v1/realtime`

const handles = (): string => process.getActiveResourcesInfo().filter(type => type !== 'Immediate' && type !== 'Timeout').sort().join()

/** Waits until nothing is left of all sessions; the page of metrics says what is alive, and what it is asked with takes a moment to end. */
async function left (expected?: string): Promise<{ handles: string, responses: number }> {
  let rounds = 0
  for (;;) {
    const samples = samplesOf(await (await fetch(`${server.http}/metrics`)).text())
    const value = (name: string) => samples.find(sample => sample.name === name)!.value
    const gone = value('dramatis_sessions_active') === 0 && value('dramatis_namespaces') === 0
    if (gone && (expected === undefined || handles() === expected || ++rounds > 200)) {
      return { handles: handles(), responses: samples.filter(sample => sample.name === 'dramatis_responses_total').reduce((sum, { value }) => sum + value, 0) }
    }
    await turn()
  }
}

/** Plays a recorded session, and cuts it with the given event: `sent` counts the client's, `received` the server's. Resolves with how many came. */
async function play ({ events, beta }: RecordedSession, cut: { sent?: number, received?: number }): Promise<number> {
  const socket = new WebSocket(url, { headers: beta ? { 'openai-beta': 'realtime=v1' } : {} })
  const closed = new Promise(resolve => socket.once('close', resolve))
  let received = 0
  let lastItem = 'item_ghost'
  await new Promise<void>(resolve => {
    socket.once('open', resolve)
    socket.on('message', data => {
      const event = JSON.parse(String(data)) as { type: string, item?: { id: string }, request_event_id?: string }
      lastItem = event.item?.id ?? lastItem
      received++
      // The last event of the recording is followed by one more: its answer is the end.
      if (received === cut.received || event.request_event_id === 'the end') socket.terminate()
    })
  })
  for (const [index, event] of events.entries()) {
    if (index === cut.sent) socket.terminate()
    if (socket.readyState !== WebSocket.OPEN) break
    // The server's ids are others each time.
    socket.send(JSON.stringify('item_id' in event ? { ...event, item_id: lastItem } : event))
    if (cut.sent === undefined) await turn()
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'session.characters.reload', event_id: 'the end', directory: 'default' }))
  await closed
  return received
}

async function fault (): Promise<string | null> {
  const client = await Attacker.connect(url)
  const found = await client.check()
  await client.close()
  return found
}

async function stillServes (t: Test): Promise<void> {
  t.equal(await fault(), null)
}

// Connections and threads that the first requests open stay.
await play(recordedSessions[0]!, {})
await fault()
await left()
const before = (await left()).handles

t.test('a socket cut at any event of the client leaves nothing, and the next session is served', async t => {
  let cuts = 0
  for (const session of recordedSessions) {
    for (let sent = 0; sent < session.events.length; sent++, cuts++) await play(session, { sent })
  }
  t.ok(cuts > 130, String(cuts))
  t.equal((await left(before)).handles, before)
  await stillServes(t)
})

t.test('a socket cut at any event of the server leaves nothing, and the next session is served', async t => {
  let cuts = 0
  for (const session of recordedSessions) {
    const whole = await play(session, {})
    for (let received = 1; received <= Math.min(whole, 60); received++, cuts++) await play(session, { received })
  }
  t.ok(cuts > 400, String(cuts))
  t.equal((await left(before)).handles, before)
  await stillServes(t)
})

t.test('reload and close race, and nothing is left', async t => {
  for (let turns = 0; turns < 40; turns++) {
    for (const end of ['close', 'terminate'] as const) {
      const socket = new WebSocket(url)
      const closed = new Promise(resolve => socket.once('close', resolve))
      await new Promise(resolve => socket.once('open', resolve))
      socket.send(JSON.stringify({ type: 'response.create' }))
      for (const directory of ['slow', 'default', 'nowhere', 'slow']) socket.send(JSON.stringify({ type: 'session.characters.reload', directory }))
      for (let n = 0; n < turns; n++) await turn()
      socket[end]()
      await closed
    }
  }
  t.equal((await left(before)).handles, before)
  await stillServes(t)
})

t.test('reloads of many sessions at once race with their ends, and nothing is left', async t => {
  await Promise.all(Array.from({ length: 40 }, async (_, n) => {
    const client = await Attacker.connect(url)
    for (let times = 0; times < 5; times++) client.send({ data: JSON.stringify({ type: 'session.characters.reload', directory: n % 2 === 0 ? 'slow' : 'default' }), binary: false })
    for (let turns = 0; turns < n; turns++) await turn()
    client.socket.terminate()
    await client.closed
  }))
  t.equal((await left(before)).handles, before)
  await stillServes(t)
})
