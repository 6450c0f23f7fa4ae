import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
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
/** Of the server's timer that measures its event loop: how late it is is the delay. Milliseconds. */
const RESOLUTION_MS = 10

interface Talk {
  /** From `speech_stopped`, and from the last sample that was spoken, to the first sound of the answer. */
  latencies: number[]
  waits: number[]
  underruns: number
  gap: number
  failed: number
}

/** The built server with its local engines, and many people who all talk to it at the same time, in real time. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const server = await startServer()
  try {
    const speech = (await Promise.all(Object.keys(clips).map(readClip))).map(toFrames)
    const all: Talk = { latencies: [], waits: [], underruns: 0, gap: 0, failed: 0 }
    const before = await scrape(server)
    const own = monitorEventLoopDelay({ resolution: 1 })
    own.enable()
    const cpu = server.cpu()
    const since = performance.now()
    const until = since + (quick ? 15_000 : 45_000)
    await Promise.all(Array.from({ length: SESSIONS }, async (_, n) => {
      await delay(n * 250)
      await converse(server.url, speech, n, until, all)
    }))
    const seconds = (performance.now() - since) / 1000
    const used = server.cpu() - cpu
    own.disable()
    const after = await scrape(server)
    const interval = 1000 * (after.get('nodejs_eventloop_lag_p99_seconds') ?? NaN)
    const mean = (stage: string) => {
      const [sum, count] = ['sum', 'count'].map(part => {
        const name = `dramatis_turn_seconds_${part}{stage="${stage}"}`
        return (after.get(name) ?? NaN) - (before.get(name) ?? 0)
      })
      return round(1000 * sum! / count!)
    }
    return [
      { name: 'turns', value: all.latencies.length, unit: '', note: `of ${SESSIONS} sessions that talk all the time, ${round(seconds)} s` },
      { name: 'end of speech to first audio p50', value: round(percentile(all.latencies, 50)), unit: 'ms', note: 'speech_stopped to the first output_audio.delta, at the client' },
      { name: 'end of speech to first audio p95', value: round(percentile(all.latencies, 95)), unit: 'ms', limit: 400, note: `mean of recognition ${mean('stt_final')} ms, of the voice ${mean('tts_first_audio')} ms` },
      { name: 'last sample to first audio p95', value: round(percentile(all.waits, 95)), unit: 'ms', note: 'with the 500 ms of silence that end a turn' },
      { name: 'event-loop delay p99', value: round(interval - RESOLUTION_MS), unit: 'ms', limit: 15, note: `p99 of what a timer of ${RESOLUTION_MS} ms takes: ${round(interval)} ms` },
      { name: 'underruns', value: all.underruns, unit: '', limit: 0, note: `audio that came more than ${TOLERANCE_MS} ms after it should have played; the longest gap was ${round(all.gap)} ms` },
      { name: 'answers that failed', value: all.failed, unit: '', limit: 0 },
      { name: 'CPU', value: round(100 * used / seconds), unit: '% of a core' },
      { name: 'event-loop delay p99 of the client', value: round(own.percentile(99) / 1e6), unit: 'ms', note: 'counts as ours above' }
    ]
  } finally {
    await server.stop()
  }
}

/** Nothing but a socket and a clock, so that the machine is the server's. */
async function converse (url: string, speech: string[][], n: number, until: number, talk: Talk): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime`)
  let spokenAt = 0
  let stoppedAt = 0
  /** When the sound that is there will have been played. */
  let playedAt = 0
  let onDone = () => {}
  socket.on('message', (data: Buffer) => {
    const now = performance.now()
    const type = data.toString('latin1', 9, data.indexOf('"', 9))
    if (type === 'input_audio_buffer.speech_stopped') stoppedAt = now
    else if (type === 'response.done') {
      if (!data.includes('"status":"completed"')) talk.failed++
      onDone()
    } else if (type === 'response.output_audio.delta') {
      if (stoppedAt > 0) {
        talk.latencies.push(now - stoppedAt)
        talk.waits.push(now - spokenAt)
        stoppedAt = 0
        playedAt = now
      }
      const gap = now - playedAt
      if (gap > TOLERANCE_MS) {
        talk.underruns++
        talk.gap = Math.max(talk.gap, gap)
      }
      const text = data.toString('latin1')
      playedAt = Math.max(now, playedAt) + Buffer.byteLength(text.slice(text.lastIndexOf(':"') + 2, -2), 'base64') / 48
    }
  })
  await once(socket, 'open')
  const send = async (frames: readonly string[]) => {
    let due = performance.now()
    for (const frame of frames) {
      socket.send(frame)
      due += CHUNK_MS
      await delay(Math.max(0, due - performance.now()))
    }
  }
  const silence = toFrames(new Int16Array(SILENCE_MS * 24))
  for (let turn = n; performance.now() < until; turn++) {
    const done = new Promise<void>(resolve => { onDone = resolve })
    await send(speech[turn % speech.length]!)
    spokenAt = performance.now()
    await send(silence)
    await done
    // Somebody listens to the end, in silence, as a microphone does.
    while (performance.now() < Math.min(until, playedAt)) await send(silence.slice(0, 1))
  }
  socket.close()
  await once(socket, 'close')
}

function toFrames (samples: Int16Array): string[] {
  const step = CHUNK_MS * 24
  return Array.from({ length: Math.ceil(samples.length / step) }, (_, i) =>
    JSON.stringify({ type: 'input_audio_buffer.append', audio: base64(samples.subarray(i * step, (i + 1) * step)) }))
}

async function scrape (server: BenchServer): Promise<Map<string, number>> {
  const page = await (await fetch(`${server.url}/metrics`)).text()
  return new Map(page.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const cut = line.lastIndexOf(' ')
    return [line.slice(0, cut), Number(line.slice(cut + 1))]
  }))
}
