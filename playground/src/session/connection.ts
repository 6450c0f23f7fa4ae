import { createCharacters, type Characters } from '../../../lib/client/index.js'
import { directory, selected, showCast, startOver } from './cast.js'
import { logEvent } from './event-log.js'
import { replay } from './replay.js'
import { apiKey } from './settings.js'
import { diagnose, Socket, type ClientEvent, type ServerEvent } from './socket.js'
import { base, connection, keyWanted, problem, responding } from './state.js'
import { addNote, transcript, type SpokenLine } from './transcript.js'

/** Between two tries, at most. Milliseconds. */
const LONGEST_WAIT_MS = 10_000

let socket: Socket | null = null
let attempts = 0
let retry: ReturnType<typeof setTimeout> | undefined
let take: (event: ServerEvent) => void = () => {}

/** Who gets the server's events. */
export function onEvent (listener: (event: ServerEvent) => void): void {
  take = listener
}

/** Whether there is a connection, or one is being made. */
export function isOpen (): boolean {
  return socket !== null
}

export function send (event: ClientEvent): void {
  socket?.send(event)
}

/** The characters of the session, through the same helper that other clients use. Throws if there is no connection. */
export function characters (): Characters {
  if (socket === null) throw new Error('There is no connection.')
  return createCharacters(socket.raw)
}

/** Resolves once the server has greeted, or is known not to. */
export function connect (): Promise<void> {
  if (socket !== null) return Promise.resolve()
  connection.value = 'connecting'
  keyWanted.value = false
  return new Promise(resolve => {
    socket = new Socket({
      base,
      key: apiKey.value,
      character: selected.value,
      cast: directory.value,
      onSent: event => logEvent('client', event),
      onEvent (event) {
        logEvent('server', event)
        take(event)
        if (event.type === 'session.created') onGreeted().then(resolve)
      },
      onClose ({ opened, code, reason }) {
        socket = null
        responding.value = false
        onGone(opened, code, reason).then(resolve, resolve)
      }
    })
  })
}

/** Says goodbye; nothing is tried again. */
export function disconnect (): void {
  clearTimeout(retry)
  attempts = 0
  socket?.close()
  socket = null
  connection.value = 'off'
  responding.value = false
}

async function onGreeted (): Promise<void> {
  const said = replay()
  attempts = 0
  await characters().list().then(({ directory, characters }) => showCast(directory, characters), () => {})
  connection.value = 'on'
  problem.value = null
  for (const event of said) send(event)
  // Nobody has said anything: a greeting. Somebody has, and got no answer: that.
  if (said.length === 0 || transcript.peek().findLast((line): line is SpokenLine => line.kind === 'line' && line.text !== '')?.who === 'user') send({ type: 'response.create' })
}

async function onGone (opened: boolean, code: number, reason: string): Promise<void> {
  if (connection.value === 'on') addNote(`The connection is gone${reason === '' ? '' : ` (${reason})`}.`, true)
  const { message, remedy } = await diagnose(base, apiKey.value)
  const ended = opened && code === 1000
  problem.value = ended ? `The server ended the session${reason === '' ? '' : `: ${reason}`}.` : message
  keyWanted.value = !ended && remedy === 'key'
  // A key that is wrong, or a page that may not connect, does not get better by waiting.
  if (ended || remedy === 'key' || remedy === 'none') {
    connection.value = 'off'
    return
  }
  if (!opened && remedy === 'cast') await startOver().catch(() => {})
  connection.value = 'waiting'
  clearTimeout(retry)
  retry = setTimeout(() => { connect().catch(() => {}) }, Math.min(LONGEST_WAIT_MS, 300 * 2 ** attempts++))
}
