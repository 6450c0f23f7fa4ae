import { writeFile } from 'node:fs/promises'
import { concat, samplesToMs, toSamples } from '../../lib/audio/pcm.js'
import { toWav } from '../../lib/audio/wav.js'
import { SAMPLE_RATE } from '../../lib/engines/engine.js'
import { defineCommand, fail, UsageError } from '../command.js'
import type { RealtimeConnection } from '../realtime.js'
import { readSpeech, toBase64 } from '../speech.js'
import { paint } from '../terminal.js'
import { turn } from '../turn.js'
import { CONNECT_HELP, connectOptions, withConnection } from '../with-connection.js'

export const command = defineCommand({
  help: `Speaks one turn from a WAV file, prints what was heard and answered, and keeps the answer.

  dramatis say FILE.wav [options]

  --out FILE         where the answer goes (default: answer.wav)
  --character NAME   who answers
${CONNECT_HELP}
  --json             for machines
`,
  options: {
    ...connectOptions,
    out: { type: 'string', default: 'answer.wav' },
    character: { type: 'string' },
    json: { type: 'boolean', default: false }
  },

  async run ({ url, key, characters, character, out, json }, positionals) {
    const [file, more] = positionals
    if (file === undefined || more !== undefined) throw new UsageError('Which WAV file is to be said?')
    const speech = await readSpeech(file)
    return await withConnection({ url, key, character, characters, speech: true }, connection => say(connection, speech, out, json))
  }
})

async function say (connection: RealtimeConnection, speech: Int16Array, out: string, json: boolean): Promise<number> {
  const updated = connection.next('session.updated')
  connection.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['audio'], audio: { input: { turn_detection: null, transcription: { model: 'whisper-1' } } } } })
  const { character = null } = (await updated).session as { character?: string | null }

  const audio: Int16Array[] = []
  let heard: string | null = null
  let firstAudioMs: number | null = null
  const transcribed = new Promise<void>(resolve => {
    const stop = connection.subscribe(({ type }) => {
      if (!/input_audio_transcription\.(completed|failed)$/.test(type)) return
      stop()
      resolve()
    }, resolve)
  })
  // Real time is not needed: there is no voice detection to wait for.
  for (let at = 0; at < speech.length; at += SAMPLE_RATE) connection.send({ type: 'input_audio_buffer.append', audio: toBase64(speech.subarray(at, at + SAMPLE_RATE)) })
  const started = performance.now()
  const unheard = connection.subscribe(event => {
    if (event.type === 'conversation.item.input_audio_transcription.completed') heard = event.transcript as string
  }, () => {})
  const result = await turn(connection, {
    onAudio (base64) {
      firstAudioMs ??= Math.round(performance.now() - started)
      audio.push(toSamples(Buffer.from(base64, 'base64')))
    }
  }, () => {
    connection.send({ type: 'input_audio_buffer.commit' })
    connection.send({ type: 'response.create' })
  })
  if (result.error !== null) return fail(result.error)
  // The words may come after the answer to them.
  await transcribed
  unheard()

  const samples = concat(audio)
  try {
    await writeFile(out, toWav(samples, SAMPLE_RATE))
  } catch (error) {
    return fail(`${out} cannot be written: ${(error as Error).message}.`)
  }
  const seconds = samplesToMs(samples.length) / 1000
  process.stdout.write(json
    ? `${JSON.stringify({ character, heard, answer: result.text, tools: result.tools, status: result.status, first_audio_ms: firstAudioMs, seconds, out })}\n`
    : `${paint('cyan', 'heard ›')} ${heard ?? ''}\n${paint('magenta', `${character ?? 'assistant'} ›`)} ${result.text}\n${paint('gray', `${seconds.toFixed(1)} s in ${out}, first audio after ${firstAudioMs} ms`)}\n`)
  return 0
}
