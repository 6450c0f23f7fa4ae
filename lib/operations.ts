import type { FileError } from './characters/fault.js'
import { RealtimeError } from './errors.js'
import type { LiveSessions, SessionSummary } from './realtime/live-sessions.js'

/** A session as the operator's page shows it. */
export interface OperatedSession extends SessionSummary {
  /** What was wrong with files when its cast was loaded last. */
  load_errors: FileError[]
}

/** What an operator may see and do; the routes know no more of the sessions than this. */
export interface Operations {
  /** Sessions in the order they were opened, after the one named. */
  list (limit: number, after?: string): { data: OperatedSession[], next: string | null }
  /** Ends one session with 1001. Throws `session_not_found`. */
  close (id: string): void
  /** Takes nobody in any more, lets answers finish and ends all sessions; returns how many there are. Cannot be undone. */
  drain (): number
}

/** @param drainSeconds how long running answers may take */
export function createOperations (sessions: LiveSessions, drainSeconds: number, onError: (error: unknown) => void): Operations {
  const find = (id: string) => [...sessions].find(session => session.id === id)
  return {
    list (limit, after) {
      const { data, next } = sessions.page(limit, after)
      return { data: data.map(summary => ({ ...summary, load_errors: find(summary.id)?.registry.report.errors ?? [] })), next }
    },

    close (id) {
      const session = find(id)
      if (session === undefined) throw new RealtimeError('session_not_found', { param: 'id', message: `There is no session '${id.slice(0, 64)}'.` })
      session.end(1001, 'closed by the operator', false)
    },

    drain () {
      const { size } = sessions
      if (!sessions.draining) sessions.drain(drainSeconds).catch(onError)
      return size
    }
  }
}
