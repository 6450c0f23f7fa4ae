import { SAMPLE_RATE } from '../../lib/engines/engine.js'
import { toBase64 } from '../speech.js'

/** Audio of one frame. Milliseconds. */
export const FRAME_MS = 100
const FRAME = SAMPLE_RATE * FRAME_MS / 1000

/** A recording is silent where it is below this share of its loudest sample. */
const SILENT = 0.03

/** The frames of one spoken sentence, made once for all sessions; they end where the speech does, whatever silence was recorded after it. */
export function speechFrames (recording: Int16Array): Buffer[] {
  const loudest = recording.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
  const speech = recording.subarray(0, recording.findLastIndex(sample => Math.abs(sample) > loudest * SILENT) + 1)
  const frames: Buffer[] = []
  for (let at = 0; at < speech.length; at += FRAME) {
    const samples = new Int16Array(FRAME)
    samples.set(speech.subarray(at, at + FRAME))
    frames.push(frame(samples))
  }
  return frames
}

export const silentFrame = frame(new Int16Array(FRAME))

function frame (samples: Int16Array): Buffer {
  return Buffer.from(JSON.stringify({ type: 'input_audio_buffer.append', audio: toBase64(samples) }))
}

/** Where a frame's `type` stands: servers write it first, or behind an `event_id`. */
const TYPE = /"type"\s*:\s*"([^"]+)"/

/** A frame of the server, parsed only as far as a load test wants it: audio is counted, not decoded. */
export function readFrame (data: Buffer): { type: string, audioMs: number, event: Record<string, any> | null } {
  const type = TYPE.exec(data.toString('latin1', 0, 200))?.[1] ?? ''
  if (type === 'response.output_audio.delta' || type === 'response.audio.delta') {
    const start = data.indexOf('"delta":"')
    const end = start < 0 ? -1 : data.indexOf('"', start + 9)
    if (end > 0) return { type, audioMs: (end - start - 9) * 3 / 4 / 2 / SAMPLE_RATE * 1000, event: null }
  }
  return { type, audioMs: 0, event: JSON.parse(data.toString()) }
}
