import { computed, effect, signal } from '@preact/signals'
import { CharacterRequestError, createCharacters } from '../../../lib/client/index.js'
import { encode } from '../audio/base64.js'
import { openMicrophone, type Frame, type Microphone } from '../audio/microphone.js'
import { Speaker } from '../audio/speaker.js'
import { lastReload, loadFaces, selected, showCast } from './cast.js'
import { takeEvent } from './events.js'
import { logEvent } from './event-log.js'
import { markTurn, pathTimes, beginTurn } from './latency.js'
import { replay } from './replay.js'
import { apiKey, settings } from './settings.js'
import { diagnose, Socket, type ClientEvent } from './socket.js'
import { addNote, findLine, putLine } from './transcript.js'

export type Connection = 'off' | 'connecting' | 'on' | 'waiting'

/** Where the server's paths begin, whatever prefix it stands under. */
export const base = new URL('.', document.baseURI).href

export const connection = signal<Connection>('off')
export const microphoneOn = signal(false)
export const muted = signal(false)
/** The button of push-to-talk is down. */
export const pressed = signal(false)
export const listening = computed(() => microphoneOn.value && (settings.value.mode === 'hands-free' ? !muted.value : pressed.value))
export const responding = signal(false)
export const userLevel = signal(0)
export const answerLevel = signal(0)
export const engines = signal<{ stt: string, llm: string, tts: string } | null>(null)
/** What a person has to know or do; null if all is well. */
export const problem = signal<string | null>(null)
export const microphoneProblem = signal<string | null>(null)

let socket: Socket | null = null
let microphone: Microphone | null = null
let speaker: Promise<Speaker> | null = null
let attempts = 0
let retry: ReturnType<typeof setTimeout> | undefined
/** Audio sent in this session, in milliseconds, and when it was captured: where the server says speech ended, by our clock. */
let sentMs = 0
let captured: { ms: number, at: number }[] = []
let pressedMs = 0
let askedAt = 0

loadFaces(base).catch(() => { problem.value ??= 'The server cannot be reached. Is it running?' })

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
  clearTimeout(retry)
  attempts = 0
  interrupt().catch(() => {})
  socket?.close()
  socket = null
  closeMicrophone()
  connection.value = 'off'
  responding.value = false
}

export async function useMicrophone (): Promise<void> {
  if (microphone !== null) return
  try {
    microphone = await openMicrophone({ deviceId: settings.value.deviceId, processing: settings.value.processing, onFrame: takeFrame, onLost: onMicrophoneLost })
    microphoneOn.value = true
    microphoneProblem.value = null
  } catch (error) {
    microphoneProblem.value = (error as Error).message
  }
}

function closeMicrophone (): void {
  microphone?.close()
  microphone = null
  microphoneOn.value = false
  userLevel.value = 0
}

function onMicrophoneLost (): void {
  closeMicrophone()
  microphoneProblem.value = 'The microphone is gone. Plug it in again, or type.'
}

/** Resolves once the server has greeted, or is known not to. */
export function connect (): Promise<void> {
  if (socket !== null) return Promise.resolve()
  connection.value = 'connecting'
  return new Promise(resolve => {
    socket = new Socket({
      base,
      key: apiKey.value,
      character: selected.value,
      onSent: event => logEvent('client', event),
      onEvent (event) {
        logEvent('server', event)
        if (event.type === 'session.created') onGreeted().then(resolve)
        takeEvent(event, session)
      },
      onClose ({ opened, code, reason }) {
        socket = null
        responding.value = false
        onGone(opened, code, reason).then(resolve, resolve)
      }
    })
  })
}

async function onGreeted (): Promise<void> {
  sentMs = 0
  captured = []
  const said = replay()
  attempts = 0
  configure()
  const characters = createCharacters(socket!.raw)
  await characters.list().then(({ directory, characters }) => showCast(directory, characters), () => {})
  connection.value = 'on'
  problem.value = null
  for (const event of said) send(event)
  if (said.length === 0) send({ type: 'response.create' })
}

async function onGone (opened: boolean, code: number, reason: string): Promise<void> {
  if (connection.value === 'on') addNote(`The connection is gone${reason === '' ? '' : ` (${reason})`}.`, true)
  const why = await diagnose(base, apiKey.value)
  problem.value = opened && code === 1000 ? `The server ended the session${reason === '' ? '' : `: ${reason}`}.` : why
  // A key that is wrong, or a page that may not connect, does not get better by waiting.
  const hopeless = /API key|ALLOWED_ORIGINS/.test(why) || (opened && code === 1000)
  if (hopeless) {
    connection.value = 'off'
    closeMicrophone()
    return
  }
  connection.value = 'waiting'
  clearTimeout(retry)
  retry = setTimeout(() => { connect().catch(() => {}) }, Math.min(10_000, 300 * 2 ** attempts++))
}

export function send (event: ClientEvent): void {
  socket?.send(event)
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

function takeFrame ({ samples, level, capturedAt }: Frame): void {
  userLevel.value = listening.value ? level : 0
  if (!listening.value || connection.value !== 'on') return
  send({ type: 'input_audio_buffer.append', audio: encode(samples) })
  sentMs += samples.length / 24
  captured.push({ ms: sentMs, at: capturedAt + samples.length / 24 })
  if (captured.length > 1500) captured = captured.slice(-1000)
  pathTimes.value = { ...pathTimes.value, capture: performance.now() - capturedAt }
}

function openSpeaker (): Promise<Speaker> {
  speaker ??= Speaker.open({
    onLevel: level => { answerLevel.value = level },
    onStarted: (item, at) => markTurn('heard', at),
    onGap: () => { pathTimes.value = { ...pathTimes.value, gaps: pathTimes.value.gaps + 1 } }
  })
  speaker.catch(() => { problem.value = 'This browser cannot play the answers; they can still be read.' })
  return speaker
}

/** Falls silent, and tells the server what of the answer was heard. */
export async function interrupt (): Promise<void> {
  const heard = await (await openSpeaker()).clear()
  if (heard === null) return
  const line = findLine('line', heard.item)
  if (line !== undefined) putLine({ ...line, state: 'interrupted' })
  send({ type: 'conversation.item.truncate', item_id: heard.item, content_index: 0, audio_end_ms: heard.ms })
}

/** Stops the answer. */
export async function cancel (): Promise<void> {
  if (responding.value) send({ type: 'response.cancel' })
  await interrupt()
}

export async function say (text: string): Promise<void> {
  openSpeaker().catch(() => {})
  const id = `typed_${Math.random().toString(36).slice(2, 14)}`
  if (socket === null) {
    problem.value = null
    // Whoever begins by typing is not greeted first: the line is part of what the session is told.
    putLine({ kind: 'line', id, who: 'user', name: 'You', text, cut: '', state: 'done' })
    await connect()
    if (connection.value !== 'on') return
  } else {
    await cancel()
    putLine({ kind: 'line', id, who: 'user', name: 'You', text, cut: '', state: 'done' })
    send({ type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })
  }
  beginTurn(performance.now(), false)
  send({ type: 'response.create' })
}

/** Push-to-talk: the button goes down. */
export async function press (): Promise<void> {
  if (pressed.value || connection.value !== 'on') return
  if (!microphoneOn.value) await useMicrophone()
  if (!microphoneOn.value) return
  await cancel()
  send({ type: 'input_audio_buffer.clear' })
  pressedMs = sentMs
  pressed.value = true
}

/** It comes up again: what was said is a turn. */
export function release (): void {
  if (!pressed.value) return
  pressed.value = false
  // The server takes no turn of less than 100 ms: that was no more than a touch.
  if (sentMs - pressedMs < 120) return send({ type: 'input_audio_buffer.clear' })
  beginTurn(performance.now(), true)
  send({ type: 'input_audio_buffer.commit' })
  send({ type: 'response.create' })
}

export async function select (name: string): Promise<void> {
  const before = selected.value
  selected.value = name
  if (socket === null || connection.value !== 'on') return
  await cancel()
  try {
    await createCharacters(socket.raw).select(name)
    if (name !== before) addNote(`You are talking with ${name} now.`)
  } catch (error) {
    selected.value = before
    problem.value = (error as Error).message
  }
}

export async function reload (directory: string, conversation: 'keep' | 'reset'): Promise<void> {
  lastReload.value = { state: 'running' }
  if (socket === null) await connect()
  try {
    if (socket === null) throw new Error('There is no connection.')
    const report = await createCharacters(socket.raw).reload(directory, { conversation })
    // Whoever still speaks belongs to the cast that is gone.
    await interrupt()
    lastReload.value = { state: 'done', report }
    showCast(report.directory, report.characters)
    if (conversation === 'reset') addNote('The conversation starts over.')
  } catch (error) {
    lastReload.value = { state: 'failed', message: (error as Error).message, errors: error instanceof CharacterRequestError ? error.errors : [] }
  }
}

/** What the events act on. */
const session = {
  send,
  interrupt,
  audio (item: string, base64: string) { openSpeaker().then(speaker => speaker.push(item, base64), () => {}) },
  audioEnd (item: string) { openSpeaker().then(speaker => speaker.end(item), () => {}) },
  responding (is: boolean) { responding.value = is },
  engines (names: { stt: string, llm: string, tts: string } | undefined) { engines.value = names ?? null },
  answered () {
    if (askedAt === 0) return
    pathTimes.value = { ...pathTimes.value, roundTrip: performance.now() - askedAt }
    askedAt = 0
  },
  /** When, by our clock, the sample at this place of what was sent was captured. */
  capturedAt (ms: number): number {
    return captured.findLast(frame => frame.ms <= ms)?.at ?? performance.now()
  },
  silenceMs (): number {
    return settings.value.detection === 'server_vad' ? 500 : 0
  }
}

export type SessionActions = typeof session
