import { effect } from '@preact/signals'
import { CharacterRequestError } from '../../../lib/client/index.js'
import { lastReload, loadFaces, selected, showCast } from './cast.js'
import { characters, connect, disconnect, isOpen, onEvent, send } from './connection.js'
import { takeEvent } from './events.js'
import { beginTurn, pathTimes } from './latency.js'
import { settings } from './settings.js'
import type { ClientEvent } from './socket.js'
import { capturedAt, forgetSent, interrupt, openSpeaker, sentMs, useMicrophone } from './sound.js'
import { connection, engines, microphoneOn, pressed, problem, responding } from './state.js'
import { addNote, putLine } from './transcript.js'

/** The button is down, whether or not anybody listens yet. */
let held = false
let pressedMs = 0
let askedAt = 0

loadFaces().catch(() => { problem.value ??= 'The server cannot be reached. Is it running?' })
onEvent(event => takeEvent(event, session))

/** The one click: connects, opens the microphone, and has the character say hello. */
export async function start (): Promise<void> {
  problem.value = null
  openSpeaker().catch(() => {})
  const ready = connect()
  await useMicrophone()
  await ready
}

/** Ends the conversation. */
export function stop (): void {
  interrupt().catch(() => {})
  disconnect()
}

/** Stops the answer. */
export async function cancel (): Promise<void> {
  if (responding.value) send({ type: 'response.cancel' })
  await interrupt()
}

export async function say (text: string): Promise<void> {
  openSpeaker().catch(() => {})
  const id = `typed_${Math.random().toString(36).slice(2, 14)}`
  if (!isOpen()) {
    problem.value = null
    // Whoever begins by typing is not greeted first: the line is part of what the session is told, and answered, whenever that is.
    putLine({ kind: 'line', id, who: 'user', name: 'You', text, cut: '', state: 'done' })
    await connect()
    if (connection.value === 'on') beginTurn(performance.now(), false)
    return
  }
  await cancel()
  putLine({ kind: 'line', id, who: 'user', name: 'You', text, cut: '', state: 'done' })
  send({ type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })
  beginTurn(performance.now(), false)
  send({ type: 'response.create' })
}

/** Push-to-talk: the button goes down. */
export async function press (): Promise<void> {
  if (held || connection.value !== 'on') return
  held = true
  if (!microphoneOn.value) await useMicrophone()
  await cancel()
  // The browser may have asked for the microphone first: whoever answered it has let go of the button.
  if (!held || !microphoneOn.value) return
  send({ type: 'input_audio_buffer.clear' })
  pressedMs = sentMs()
  pressed.value = true
}

/** It comes up again: what was said is a turn. */
export function release (): void {
  held = false
  if (!pressed.value) return
  pressed.value = false
  // The server takes no turn of less than 100 ms: that was no more than a touch.
  if (sentMs() - pressedMs < 120) return send({ type: 'input_audio_buffer.clear' })
  beginTurn(performance.now(), true)
  send({ type: 'input_audio_buffer.commit' })
  send({ type: 'response.create' })
}

export async function select (name: string): Promise<void> {
  const before = selected.value
  selected.value = name
  if (connection.value !== 'on') return
  await cancel()
  try {
    await characters().select(name)
    if (name !== before) addNote(`You are talking with ${name} now.`)
  } catch (error) {
    selected.value = before
    problem.value = (error as Error).message
  }
}

export async function reload (directory: string, conversation: 'keep' | 'reset'): Promise<void> {
  lastReload.value = { state: 'running' }
  await connect()
  try {
    const report = await characters().reload(directory, { conversation })
    // Whoever still speaks belongs to the cast that is gone.
    await interrupt()
    lastReload.value = { state: 'done', report }
    showCast(report.directory, report.characters)
    if (conversation === 'reset') addNote('The conversation starts over.')
  } catch (error) {
    lastReload.value = { state: 'failed', message: (error as Error).message, errors: error instanceof CharacterRequestError ? error.errors : [] }
  }
}

/** Tells the server how turns end, that words are wanted, and that tools may be seen. */
function configure (): void {
  askedAt = performance.now()
  const { mode, detection } = settings.peek()
  send({
    type: 'session.update',
    session: {
      type: 'realtime',
      character_tools: 'visible',
      audio: {
        input: {
          transcription: { model: 'whisper-1' },
          turn_detection: mode === 'push-to-talk' ? null : { type: detection }
        }
      }
    }
  } as ClientEvent)
}

// Whoever changes how turns end means the session that runs, too.
let configured = `${settings.value.mode} ${settings.value.detection}`
effect(() => {
  const wanted = `${settings.value.mode} ${settings.value.detection}`
  if (wanted === configured) return
  configured = wanted
  configure()
})

/** What the events act on. */
const session = {
  send,
  interrupt,
  audio (item: string, base64: string) { openSpeaker().then(speaker => speaker.push(item, base64), () => {}) },
  audioEnd (item: string) { openSpeaker().then(speaker => speaker.end(item), () => {}) },
  greeted () {
    forgetSent()
    configure()
  },
  responding (is: boolean) { responding.value = is },
  engines (names: { stt: string, llm: string, tts: string } | undefined) { engines.value = names ?? null },
  answered () {
    if (askedAt === 0) return
    pathTimes.value = { ...pathTimes.value, roundTrip: performance.now() - askedAt }
    askedAt = 0
  },
  capturedAt,
  silenceMs (): number {
    return settings.value.detection === 'server_vad' ? 500 : 0
  }
}

export type SessionActions = typeof session
