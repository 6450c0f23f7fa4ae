import type { FileError } from './characters/fault.js'
import type { Fleet } from './cluster/fleet.js'
import { StoreError, type DirectoryEntry, type NodeEntry, type Page } from './cluster/store.js'
import { RealtimeError } from './errors.js'
import type { LiveSessions, SessionSummary } from './realtime/live-sessions.js'

/** Sessions that another node is asked about at a time: so many fit into a message. */
const ASKED = 100

/** A session as the operator's page shows it. */
export interface OperatedSession extends SessionSummary {
  /** The server that has it. */
  node: string
  /** What was wrong with files when its cast was loaded last. */
  load_errors: FileError[]
}

/** One whose server did not answer in time: what the directory knows of it. */
export type SilentSession = Pick<OperatedSession, 'id' | 'node' | 'since'> & { [K in Exclude<keyof OperatedSession, 'id' | 'node' | 'since'>]: null }

export type SessionPage = Page<OperatedSession | SilentSession> & {
  /** There: the store cannot be reached, and this is what this server has. */
  partial?: true
}

/** What an operator may see and do; the routes know no more of the sessions than this. */
export interface Operations {
  /** Of all servers, in the order of their names; of each from the oldest session on. */
  list (limit: number, after?: string): Promise<SessionPage>
  /** Ends one session with 1001, wherever it is. Rejects with `session_not_found`, `node_unreachable` or `store_unavailable`. */
  close (id: string): Promise<void>
  /** Takes nobody in any more, lets answers finish and ends all sessions of this server; returns how many there are. Cannot be undone. */
  drain (): number
  /** Sessions with characters of that root take what its files are now, at the end of their turn; returns how many were told, and on how many servers. */
  reload (root: string): Promise<{ sessions: number, nodes: number }>
  nodes (limit: number, after?: string): Promise<Page<NodeEntry>>
}

export interface OperationsOptions {
  sessions: LiveSessions
  fleet: Fleet
  /** How long running answers may take when all is drained. */
  drainSeconds: number
  onError: (error: unknown) => void
}

export function createOperations ({ sessions, fleet, drainSeconds, onError }: OperationsOptions): Operations {
  const { messages } = fleet

  const show = (ids: readonly string[]): OperatedSession[] => {
    const wanted = new Set(ids)
    return [...sessions].filter(({ id }) => wanted.has(id)).map(session => ({ ...sessions.summary(session), node: fleet.node, load_errors: session.registry.report.errors }))
  }
  const closeHere = (id: string): boolean => {
    const session = [...sessions].find(session => session.id === id)
    session?.end(1001, 'closed by the operator', false)
    return session !== undefined
  }
  const reloadHere = (root: string): number => {
    const told = [...sessions].filter(({ registry }) => isOf(registry.directory, root))
    for (const { registry } of told) registry.notify()
    return told.length
  }

  messages.answer('show', show)
  messages.answer('close', closeHere)
  messages.answer('reload', reloadHere)

  /** What the nodes say of sessions that the directory has; null for one that said nothing. */
  async function details (entries: readonly DirectoryEntry[]): Promise<Map<string, OperatedSession[] | null>> {
    const nodes = new Set(entries.map(({ node }) => node))
    return new Map(await Promise.all([...nodes].map(async (node): Promise<[string, OperatedSession[] | null]> => {
      const ids = entries.filter(entry => entry.node === node).map(({ id }) => id)
      if (node === fleet.node) return [node, show(ids)]
      const parts = Array.from({ length: Math.ceil(ids.length / ASKED) }, (_, part) => ids.slice(part * ASKED, (part + 1) * ASKED))
      const answers = await Promise.all(parts.map(async part => (await messages.ask<OperatedSession[]>(node, 'show', part))[0]?.body))
      return [node, answers.includes(undefined) ? null : answers.flat() as OperatedSession[]]
    })))
  }

  return {
    async list (limit, after) {
      const page = await orNull(fleet.store.sessions(limit, after))
      if (page === null) return { data: show([...sessions].slice(0, limit).map(({ id }) => id)), next: null, partial: true }
      const shown = await orNull(details(page.data)) ?? new Map<string, null>()
      const data = page.data.flatMap(({ id, node, ageMs }): (OperatedSession | SilentSession)[] => {
        const said = shown.get(node) ?? null
        if (said === null) return [silent(id, node, ageMs)]
        // Not there: it is opening still, or has closed since.
        return said.filter(session => session.id === id)
      })
      return { data, next: page.next }
    },

    async close (id) {
      if (closeHere(id)) return
      const node = await fleet.store.locate(id).catch(refuse)
      const unknown = () => new RealtimeError('session_not_found', { param: 'id', message: `There is no session '${id.slice(0, 64)}'.` })
      if (node === null || node === fleet.node) throw unknown()
      const [answer] = await messages.ask<boolean>(node, 'close', id).catch(refuse)
      if (answer === undefined) throw new RealtimeError('node_unreachable', { message: `The server '${node}', which has the session, does not answer.` })
      if (!answer.body) throw unknown()
    },

    drain () {
      const { size } = sessions
      if (!sessions.draining) sessions.drain(drainSeconds).catch(onError)
      return size
    },

    async reload (root) {
      const answers = await orNull(messages.ask<number>(null, 'reload', root))
      // Alone, it still does what it can.
      if (answers === null) return { sessions: reloadHere(root), nodes: 1 }
      return { sessions: answers.reduce((sum, { body }) => sum + body, 0), nodes: answers.length }
    },

    nodes: async (limit, after) => await fleet.store.nodes(limit, after).catch(refuse)
  }
}

/** Whether a cast, of one place or of several one over another, has characters of a root. */
function isOf (directory: string, root: string): boolean {
  return directory.split('+').some(layer => layer === root || layer.startsWith(`${root}/`))
}

function silent (id: string, node: string, ageMs: number): SilentSession {
  const since = new Date(Date.now() - ageMs).toISOString()
  return { id, node, since, key: null, directory: null, version: null, characters: null, selected: null, active_response: null, counters: null, load_errors: null }
}

async function orNull<T> (asked: Promise<T>): Promise<T | null> {
  return await asked.catch(error => {
    if (error instanceof StoreError) return null
    throw error
  })
}

function refuse (error: unknown): never {
  throw error instanceof StoreError ? new RealtimeError('store_unavailable', { cause: error }) : error
}
