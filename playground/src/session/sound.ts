import { effect } from '@preact/signals'
import { encode } from '../audio/base64.js'
import { openMicrophone, type Frame, type Microphone } from '../audio/microphone.js'
import { Speaker } from '../audio/speaker.js'
import { send } from './connection.js'
import { markTurn, pathTimes } from './latency.js'
import { settings } from './settings.js'
import { answerLevel, connection, listening, microphoneOn, microphoneProblem, problem, userLevel } from './state.js'
import { findLine, putLine } from './transcript.js'

let microphone: Microphone | null = null
/** The browser asks for it, once however often it is wanted. */
let opening: Promise<Microphone> | null = null
let speaker: Promise<Speaker> | null = null
/** Audio sent in this session, in milliseconds, and when it was captured: where the server says speech ended, by our clock. */
let sent = 0
let captured: { ms: number, at: number }[] = []

// Nobody is listened to whose words go nowhere.
effect(() => { if (connection.value === 'off') closeMicrophone() })

export async function useMicrophone (): Promise<void> {
  if (microphone !== null) return
  try {
    opening ??= openMicrophone({ deviceId: settings.value.deviceId, processing: settings.value.processing, onFrame: takeFrame, onLost: onMicrophoneLost })
    microphone = await opening
    microphoneProblem.value = null
    // The server may have refused while the browser still asked.
    if (connection.value === 'off') closeMicrophone()
    else microphoneOn.value = true
  } catch (error) {
    microphoneProblem.value = (error as Error).message
  } finally {
    opening = null
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

function takeFrame ({ samples, level, capturedAt }: Frame): void {
  userLevel.value = listening.value ? level : 0
  if (!listening.value || connection.value !== 'on') return
  send({ type: 'input_audio_buffer.append', audio: encode(samples) })
  sent += samples.length / 24
  captured.push({ ms: sent, at: capturedAt + samples.length / 24 })
  if (captured.length > 1500) captured = captured.slice(-1000)
  pathTimes.value = { ...pathTimes.value, capture: performance.now() - capturedAt }
}

/** A new session has heard nothing yet. */
export function forgetSent (): void {
  sent = 0
  captured = []
}

/** How much the session has heard. Milliseconds. */
export function sentMs (): number {
  return sent
}

/** When, by our clock, the sample at this place of what was sent was captured. */
export function capturedAt (ms: number): number {
  return captured.findLast(frame => frame.ms <= ms)?.at ?? performance.now()
}

export function openSpeaker (): Promise<Speaker> {
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
