import { signal } from '@preact/signals'
import { apiKey } from '../session/settings.js'

const base = new URL('.', document.baseURI).href

export interface FileError { file: string, line: number | null, column: number | null, code: string, message: string }

export interface LiveSession {
  id: string
  since: string
  key: string | null
  directory: string
  version: string
  characters: string[]
  selected: string | null
  active_response: string | null
  counters: { responses: number, items: number, bytes_in: number, bytes_out: number, bytes_held: number }
  load_errors: FileError[]
}

/** One whose server did not say how it is. */
type SilentSession = Pick<LiveSession, 'id' | 'since'> & { node: string, counters: null }

export interface ServerState { memory: number, heap: number, draining: boolean, status: string }

export const sessions = signal<readonly LiveSession[] | null>(null)
/** Bytes a second of each session since the last look: in, out. */
export const rates = signal<ReadonlyMap<string, { in: number, out: number }>>(new Map())
export const server = signal<ServerState | null>(null)
export const problem = signal<string | null>(null)
/** Why the last thing that was asked for was not done; stays until the next. */
export const refusal = signal<string | null>(null)

/** Sessions that are shown at most. */
const SHOWN = 1000
let lookedAt = 0

function request (path: string, method = 'GET'): Promise<Response> {
  return fetch(new URL(path, base), { method, headers: apiKey.value === '' ? {} : { authorization: `Bearer ${apiKey.value}` } })
}

/** Asks the server how things are. */
export async function look (): Promise<void> {
  try {
    const response = await request(`v1/sessions?limit=${SHOWN}`)
    if (response.status === 401) {
      sessions.value = null
      problem.value = apiKey.value === '' ? 'This server wants an API key. Enter one above.' : 'The server refuses this API key. Check it above.'
      return
    }
    if (!response.ok) throw new Error(`The server refused: ${await reason(response)}`)
    const page = await response.json() as { data: (LiveSession | SilentSession)[] }
    const data = page.data.map(toLive)
    measure(data)
    sessions.value = data
    server.value = await readServer()
    problem.value = null
  } catch (error) {
    // `fetch` says of a server that is gone only that it failed.
    problem.value = error instanceof TypeError ? 'The server cannot be reached.' : (error as Error).message
  }
}

async function reason (response: Response): Promise<string> {
  const { error } = await response.json().catch(() => ({})) as { error?: { message?: string } }
  return error?.message ?? `HTTP ${response.status}`
}

function toLive (session: LiveSession | SilentSession): LiveSession {
  if (session.counters !== null) return session
  const { id, since, node } = session
  return { id, since, key: null, directory: `${node} does not answer`, version: '', characters: [], selected: null, active_response: null, counters: { responses: 0, items: 0, bytes_in: 0, bytes_out: 0, bytes_held: 0 }, load_errors: [] }
}

function measure (data: readonly LiveSession[]): void {
  const now = performance.now()
  const seconds = (now - lookedAt) / 1000
  const before = new Map(sessions.value?.map(session => [session.id, session.counters]))
  rates.value = new Map(data.map(({ id, counters }) => {
    const last = before.get(id)
    return [id, last === undefined ? { in: 0, out: 0 } : { in: (counters.bytes_in - last.bytes_in) / seconds, out: (counters.bytes_out - last.bytes_out) / seconds }]
  }))
  lookedAt = now
}

async function readServer (): Promise<ServerState> {
  const [metrics, health] = await Promise.all([request('metrics').then(response => response.text()), request('health/ready').then(response => response.json())])
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0)
  return { memory: read('process_resident_memory_bytes'), heap: read('nodejs_heap_size_used_bytes'), status: health.status, draining: health.status === 'draining' }
}

export async function closeSession (id: string): Promise<void> {
  await act(`v1/sessions/${encodeURIComponent(id)}/close`)
}

export async function drain (): Promise<void> {
  await act('v1/drain')
}

async function act (path: string): Promise<void> {
  const response = await request(path, 'POST').catch(() => null)
  // A session that is gone already is what was wanted.
  refusal.value = response === null || response.ok || response.status === 404 ? null : `The server refused: ${await reason(response)}`
  await look()
}
