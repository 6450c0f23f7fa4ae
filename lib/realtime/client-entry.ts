import { decodeWhole, type FormatName } from '../audio/formats.js'
import { clientItem } from './client-item.js'
import type { Entry } from './conversation.js'
import type { ClientItem, UserItem } from './events/items.js'
import { decodeBase64 } from './input-audio.js'
import { Recording } from './recording.js'

export interface AudioReader {
  format: FormatName
  transcribe (samples: Int16Array): Promise<string>
}

/**
 * An item of the client with what belongs beside it: audio in its parts is kept, and recognised where the
 * client gives no transcript, so that the model knows what was said.
 *
 * @param param where the item stands in the event, for errors
 */
export function clientEntry (given: ClientItem, reader: AudioReader, param: string): Entry {
  const entry: Entry = { item: clientItem(given), size: sizeOf(given) }
  if (given.type !== 'message' || given.role !== 'user') return entry
  const item = entry.item as UserItem
  const pending: Promise<void>[] = []
  // All are decoded before any is recognised: one that cannot be is the error of the whole item.
  const spoken = given.content.map((part, index) => part.type !== 'input_audio' || part.audio === undefined
    ? null
    : decodeWhole(decodeBase64(part.audio, `${param}.content[${index}].audio`), reader.format))
  for (const [index, samples] of spoken.entries()) {
    if (samples === null) continue
    if (entry.recording === undefined) {
      entry.recording = new Recording()
      entry.recording.append(samples)
    }
    const part = given.content[index] as { transcript?: string | null }
    if (typeof part.transcript === 'string' || samples.length === 0) continue
    pending.push(reader.transcribe(samples).then(transcript => {
      item.content = item.content.map((one, at) => at === index ? { type: 'input_audio', transcript } : one)
    }))
  }
  if (pending.length > 0) {
    entry.transcribed = Promise.all(pending).then(() => { delete entry.transcribed })
    // The response that needs the words reports the fault.
    entry.transcribed.catch(() => {})
  }
  return entry
}

/** Bytes that an item takes about, its audio apart, which has a bound of its own. */
function sizeOf (item: ClientItem): number {
  const overhead = 256
  switch (item.type) {
    case 'function_call': return overhead + item.arguments.length
    case 'function_call_output': return overhead + item.output.length
    case 'message': {
      let size = overhead
      for (const part of item.content) {
        size += 64 + ('text' in part ? part.text.length : 'image_url' in part ? part.image_url.length : part.transcript?.length ?? 0)
      }
      return size
    }
  }
}
