import type { SavedCast } from '../../characters/reopen.js'
import type { Fields } from '../../cluster/store.js'
import type { SavedSelection } from '../casting.js'
import type { Entry } from '../conversation.js'
import type { Item } from '../events/items.js'
import { Recording, type SavedSound } from '../recording.js'
import type { Settings } from '../settings.js'

/** Of the records; one of another format is as good as none. */
export const FORMAT = 1
const ITEM = 'item:'

/** What a session is beside its conversation, as JSON keeps it. */
export interface SavedSession {
  format: number
  id: string
  conversationId: string
  /** As the client named it. */
  model: string
  settings: Settings
  selection: SavedSelection
  cast: SavedCast
  /** Whether the client asked to be told of changed files. */
  watching: boolean
  /** What a client of the beta wants of the model; null if it never said. */
  temperature: number | null
}

/** A session as it was at its last checkpoint. */
export interface Snapshot extends SavedSession { entries: Entry[] }

interface SavedItem {
  /** Its place: items are in the order of their ranks. */
  rank: number
  item: Item
  hidden?: true
  owner?: string | null
  size?: number
  /** Of an answer aloud: how long it was and when which words came, for truncation. The samples are not kept. */
  sound?: SavedSound
}

/** Name of the field with all that is not an item. */
export const sessionField = 'session'
/** Name of the field with the server that has the session; absent once its connection is gone. */
export const holderField = 'at'

/** Name of an item's field. */
export function itemField (id: string): string {
  return ITEM + id
}

/** An item's field. What it holds of a recording is its length and its words. */
export function itemJson ({ item, hidden, owner, size, recording }: Entry, rank: number): string {
  const saved: SavedItem = { rank, item }
  if (hidden === true) saved.hidden = true
  if (owner !== undefined) saved.owner = owner
  if (size !== undefined) saved.size = size
  if (recording !== undefined && item.type === 'message' && item.role === 'assistant') saved.sound = recording.save()
  return JSON.stringify(saved)
}

/** What the fields of a record say. Null if they are of another format, as after an update of the server. */
export function readSnapshot (fields: Fields): Snapshot | null {
  const session = JSON.parse(fields[sessionField] ?? '{}') as SavedSession
  if (session.format !== FORMAT) return null
  const saved = Object.entries(fields).flatMap(([name, json]) => name.startsWith(ITEM) ? [JSON.parse(json) as SavedItem] : [])
  saved.sort((a, b) => a.rank - b.rank)
  return { ...session, entries: saved.map(toEntry) }
}

function toEntry ({ item, hidden, owner, size, sound }: SavedItem): Entry {
  return {
    item,
    ...hidden === undefined ? {} : { hidden },
    ...owner === undefined ? {} : { owner },
    ...size === undefined ? {} : { size },
    ...sound === undefined ? {} : { recording: Recording.restore(sound) }
  }
}
