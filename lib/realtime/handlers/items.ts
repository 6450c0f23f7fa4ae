import { RealtimeError } from '../../errors.js'
import { encodeWhole } from '../../audio/formats.js'
import type { Entry } from '../conversation.js'
import { belonging, ownerOfItem } from '../memory.js'
import type { Settings } from '../settings.js'
import type { Item } from '../events/items.js'
import type { Handler } from './table.js'

export const createItem: Handler<'conversation.item.create'> = (session, { item: given, previous_item_id: after }) => {
  const entry = session.takeItem(given, 'item')
  const { item } = entry
  belonging(entry, ownerOfItem(entry, session.conversation.entries, session.owner))
  session.conversation.admit(entry.size)
  const previous = session.conversation.add(entry, after)
  if (entry.recording !== undefined) session.conversation.trimAudio()
  const finish = () => session.conversation.finish(entry)
  if (entry.transcribed === undefined) finish()
  else entry.transcribed.then(finish, finish)
  session.outbox.send({ type: 'conversation.item.added', previous_item_id: previous, item })
  session.outbox.send({ type: 'conversation.item.done', previous_item_id: previous, item })
}

/** `conversation.item.retrieve`: the item, with its audio if that is still kept. */
export const retrieveItem: Handler<'conversation.item.retrieve'> = (session, { item_id: id }) => {
  const entry = session.conversation.find(id)
  if (entry === undefined) {
    throw new RealtimeError('item_retrieve_invalid_item_id', { param: 'item_id', message: `Error retrieving item: the item with id '${id}' does not exist.` })
  }
  session.outbox.send({ type: 'conversation.item.retrieved', item: withAudio(entry, session.settings) })
}

export const deleteItem: Handler<'conversation.item.delete'> = (session, { item_id: id }) => {
  if (!session.conversation.delete(id)) {
    throw new RealtimeError('item_delete_invalid_item_id', { param: 'item_id', message: `Error deleting item: the item with id '${id}' does not exist.` })
  }
  session.outbox.send({ type: 'conversation.item.deleted', item_id: id })
}

/** `conversation.item.truncate`: what the user did not hear, the model has not said (PROTOCOL section 8.4). */
export const truncateItem: Handler<'conversation.item.truncate'> = (session, { item_id: id, content_index: index, audio_end_ms: end }) => {
  const entry = session.conversation.find(id)
  if (entry === undefined) {
    throw new RealtimeError('item_truncate_invalid_item_id', { param: 'item_id', message: `Error truncating item: the item with id '${id}' does not exist.` })
  }
  const { item, recording } = entry
  if (item.type !== 'message' || item.role !== 'assistant' || recording === undefined) throw new RealtimeError('unsupported_content_type', { param: 'item_id' })
  if (index !== 0) throw new RealtimeError('invalid_value', { param: 'content_index', message: `Invalid value: '${index}'. The item has one content part.` })
  if (end > recording.durationMs) {
    throw new RealtimeError('invalid_value', { param: 'audio_end_ms', message: `Audio content of ${recording.durationMs}ms is already shorter than ${end}ms` })
  }
  item.content = [{ type: 'output_audio', transcript: recording.truncate(end) }]
  session.conversation.change(entry)
  session.outbox.send({ type: 'conversation.item.truncated', item_id: id, content_index: index, audio_end_ms: end })
}

/** Audio comes back as it would be sent now: the client's own in its input format, answers in its output format. */
function withAudio ({ item, recording }: Entry, { input, output }: Settings): Item {
  const samples = recording?.samples() ?? null
  if (samples === null || item.type !== 'message' || item.role === 'system') return item
  const audio = encodeWhole(samples, (item.role === 'user' ? input : output).format.type).toString('base64')
  const first = item.content.findIndex(part => 'transcript' in part)
  return { ...item, content: item.content.map((part, index) => index === first ? { ...part, audio } : part) } as Item
}
