import { setTimeout as delay } from 'node:timers/promises'
import { TestClient } from '../test/support/client.js'
import { base64 } from '../test/support/engines.js'
import { clips, readClip } from '../test/support/wav.js'
import { percentile, round, type Figure } from './figure.js'
import { startServer, type BenchServer } from './server.js'

const SESSIONS = 16
/** Audio a message carries, and how long somebody is silent after speaking. Milliseconds. */
const CHUNK_MS = 40
const SILENCE_MS = 1000
/** How late a client's own timers may be: less is no gap in the sound. Milliseconds. */
const TOLERANCE_MS = 20

interface Talk { latencies: number[], underruns: number, gap: number, failed: number }

/** The built server with its local engines, and many people who all talk to it at the same time, in real time. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const server = await startServer()
  try {
    const speech = await Promise.all(Object.keys(clips).map(readClip))
    const all: Talk = { latencies: [], underruns: 0, gap: 0, failed: 0 }
    await metric(server, 'nodejs_eventloop_lag_p99_seconds')
    const cpu = server.cpu()
    const since = performance.now()
    const until = since + (quick ? 15_000 : 45_000)
    await Promise.all(Array.from({ length: SESSIONS }, async (_, n) => {
      await delay(n * 250)
      const talk = await converse(server.url, speech, n, until)
      all.latencies.push(...talk.latencies)
      all.underruns += talk.underruns
      all.gap = Math.max(all.gap, talk.gap)
      all.failed += talk.failed
    }))
    const seconds = (performance.now() - since) / 1000
    const loopDelay = await metric(server, 'nodejs_eventloop_lag_p99_seconds')
    return [
      { name: 'turns', value: all.latencies.length, unit: '', note: `of ${SESSIONS} sessions that talk all the time, ${round(seconds)} s` },
      { name: 'end of speech to first audio p50', value: round(percentile(all.latencies, 50)), unit: 'ms', note: 'speech_stopped to the first output_audio.delta, at the client' },
      { name: 'end of speech to first audio p95', value: round(percentile(all.latencies, 95)), unit: 'ms', limit: 400 },
      { name: 'event-loop delay p99', value: round(loopDelay * 1000), unit: 'ms', limit: 15, note: 'the 10 ms between two measurements included' },
      { name: 'underruns', value: all.underruns, unit: '', limit: 0, note: `audio that came more than ${TOLERANCE_MS} ms after it should have played; the longest gap was ${round(all.gap)} ms` },
      { name: 'answers that failed', value: all.failed, unit: '', limit: 0 },
      { name: 'CPU', value: round(100 * (server.cpu() - cpu) / seconds), unit: '% of a core' }
    ]
  } finally {
    await server.stop()
  }
}

async function converse (url: string, speech: Int16Array[], n: number, until: number): Promise<Talk> {
  const client = await TestClient.connect(`${url.replace('http', 'ws')}/v1/realtime`)
  const talk: Talk = { latencies: [], underruns: 0, gap: 0, failed: 0 }
  let stoppedAt = 0
  /** When the sound that is there will have been played. */
  let playedAt = 0
  client.socket.prependListener('message', data => {
    const text = String(data)
    const now = performance.now()
    if (text.startsWith('{"type":"input_audio_buffer.speech_stopped"')) stoppedAt = now
    if (!text.startsWith('{"type":"response.output_audio.delta"')) return
    if (stoppedAt > 0) {
      talk.latencies.push(now - stoppedAt)
      stoppedAt = 0
      playedAt = now
    }
    const gap = now - playedAt
    if (gap > TOLERANCE_MS) {
      talk.underruns++
      talk.gap = Math.max(talk.gap, gap)
    }
    const { delta } = JSON.parse(text) as { delta: string }
    playedAt = Math.max(now, playedAt) + Buffer.byteLength(delta, 'base64') / 48
  })
  for (let turn = n; performance.now() < until; turn++) {
    const clip = speech[turn % speech.length]!
    const done = client.next('response.done')
    await say(client, clip)
    const { response } = await done
    if (response.status !== 'completed') talk.failed++
    // Somebody listens to the end, in silence, as a microphone does.
    while (performance.now() < Math.min(until, playedAt)) await say(client, new Int16Array(0), CHUNK_MS)
  }
  await client.close()
  return talk
}

/** Sends audio and the silence after it in real time. */
async function say (client: TestClient, speech: Int16Array, silenceMs = SILENCE_MS): Promise<void> {
  const audio = new Int16Array(speech.length + silenceMs * 24)
  audio.set(speech)
  let due = performance.now()
  for (let at = 0; at < audio.length; at += CHUNK_MS * 24) {
    client.send({ type: 'input_audio_buffer.append', audio: base64(audio.subarray(at, at + CHUNK_MS * 24)) })
    due += CHUNK_MS
    await delay(Math.max(0, due - performance.now()))
  }
}

async function metric (server: BenchServer, name: string): Promise<number> {
  const page = await (await fetch(`${server.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1])
}
