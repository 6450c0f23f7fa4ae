import { setTimeout as delay } from 'node:timers/promises'
import { createEncoder, loadFormats, type FormatName } from '../lib/audio/formats.js'
import { TestClient } from '../test/support/client.js'
import { clips, readClip } from '../test/support/wav.js'
import { countWrongWords } from '../test/support/words.js'
import { percentile, round, type Figure } from './figure.js'
import { startPlugin, startServer } from './server.js'

const CHUNK = 2400

/** The built server as `npm start` runs it, with the local engines, and one person talking to it in real time. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const server = await startServer()
  try {
    await delay(2000)
    const idle = server.memory()
    const { latencies, wrong, words } = await talk(server.url, quick ? 1 : 5)
    const phone = await talk(server.url, quick ? 1 : 2, 'audio/pcmu')
    const loopDelay = await metric(server.url, 'nodejs_eventloop_lag_p99_seconds')
    return [
      { name: 'ready after', value: round(server.readyMs / 1000), unit: 's', limit: 5, note: 'from spawn to listening, local engines loaded' },
      { name: 'idle server', value: round(idle), unit: 'MB', limit: 400, note: 'RSS, local engines loaded' },
      { name: 'end of speech to first audio p50', value: round(percentile(latencies, 50)), unit: 'ms', limit: 200, note: 'speech_stopped to the first output_audio.delta, at the client' },
      { name: 'end of speech to first audio p95', value: round(percentile(latencies, 95)), unit: 'ms' },
      { name: 'wrong words', value: wrong, unit: `of ${words}`, limit: 1, note: 'worst of the rounds' },
      { name: 'wrong words through mu-law', value: phone.wrong, unit: `of ${words}`, limit: 3, note: '8 kHz in and out, as on a telephone; worst of the rounds' },
      { name: 'event-loop delay p99 during turns', value: round(loopDelay * 1000), unit: 'ms', limit: 20 },
      { name: 'idle server without local engines', value: round(await remoteOnly()), unit: 'MB', limit: 120, note: 'RSS, speech engines given as objects' }
    ]
  } finally {
    await server.stop()
  }
}

async function talk (url: string, rounds: number, format: FormatName = 'audio/pcm'): Promise<{ latencies: number[], wrong: number, words: number }> {
  const client = await TestClient.connect(`${url.replace('http', 'ws')}/v1/realtime`)
  client.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { format: formatOf(format), transcription: {} }, output: { format: formatOf(format) } } } })
  let stoppedAt = 0
  const latencies: number[] = []
  client.socket.prependListener('message', data => {
    const text = String(data).slice(0, 60)
    if (text.includes('speech_stopped')) stoppedAt = performance.now()
    if (stoppedAt > 0 && text.includes('output_audio.delta')) {
      latencies.push(performance.now() - stoppedAt)
      stoppedAt = 0
    }
  })
  await loadFormats()
  const encoder = createEncoder(format)
  let worst = 0
  for (let round = 0; round < rounds; round++) {
    let wrong = 0
    for (const [name, said] of Object.entries(clips)) {
      const clip = await readClip(name)
      const audio = new Int16Array(clip.length + 12 * CHUNK)
      audio.set(clip, 3 * CHUNK)
      const done = client.next('response.done')
      let due = performance.now()
      for (let at = 0; at < audio.length; at += CHUNK) {
        client.send({ type: 'input_audio_buffer.append', audio: encoder.encode(audio.subarray(at, at + CHUNK)).toString('base64') })
        due += 100
        await delay(Math.max(0, due - performance.now()))
      }
      await done
      wrong += countWrongWords(client.of('conversation.item.input_audio_transcription.completed').at(-1)!.transcript, said)
    }
    worst = Math.max(worst, wrong)
  }
  encoder.free()
  await client.close()
  return { latencies, wrong: worst, words: Object.values(clips).join(' ').split(' ').length }
}

const formatOf = (type: FormatName) => type === 'audio/pcm' ? { type, rate: 24_000 } : { type }

/** RSS of a server that runs no local engine. */
async function remoteOnly (): Promise<number> {
  const server = await startPlugin()
  await delay(2000)
  const megabytes = server.memory()
  await server.stop()
  return megabytes
}

async function metric (url: string, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1])
}
