import { createLocalStt } from '../../lib/engines/local/stt.js'
import { readClip } from './wav.js'

/** A program that exits in the middle of native work, as a server does that cannot go on. */
const stt = createLocalStt()
const clip = await readClip('austen-0890')
async function * source (): AsyncGenerator<Int16Array> {
  yield clip
}
await stt.start!()
stt.transcribe(source(), { signal: new AbortController().signal })
// By then the worker has begun: it takes a few milliseconds to get there, and a tenth of a second to decode.
setTimeout(() => process.exit(7), 40)
