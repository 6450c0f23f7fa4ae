import { WebSocket } from 'ws'
import { FRAME_MS, readFrame, silentFrame } from './frames.js'

/** What one session has measured. Milliseconds. */
export interface Measures {
  connect: number[]
  /** End of speech to `speech_stopped`; the pause that ends a turn is part of it. */
  turn_end: number[]
  /** End of speech to the words that were heard. */
  transcript: number[]
  /** End of speech to the first word of the answer. */
  first_word: number[]
  /** End of speech to the first audio of the answer. */
  first_audio: number[]
  /** How late frames were sent: this process, not the server. */
  lateness: number[]
  turns: number
  /** Answers that were not there in time to be played without a gap. */
  gaps: number
  /** What went wrong, and how often. */
  errors: Map<string, number>
}

export function createMeasures (): Measures {
  return { connect: [], turn_end: [], transcript: [], first_word: [], first_audio: [], lateness: [], turns: 0, gaps: 0, errors: new Map() }
}

export interface SpeakerOptions {
  url: string
  key: string | undefined
  frames: readonly Buffer[]
  turns: number
  /** How long to wait for one answer. Milliseconds. */
  patienceMs: number
  measures: Measures
  signal: AbortSignal
}

/** The answer that comes after a sentence. */
interface Waiting { spokenAt: number, firstWord: boolean, playsUntil: number, gap: boolean, answered: boolean }

/**
 * One session: speaks its sentence in real time, is silent until the answer has come and would have been
 * played, and speaks again. Resolves when it has had its turns, or could not.
 */
export async function speak (options: SpeakerOptions): Promise<void> {
  const { measures, signal } = options
  let socket: WebSocket | undefined
  try {
    const began = performance.now()
    socket = await open(options)
    measures.connect.push(performance.now() - began)
    for (let turn = 0; turn < options.turns && !signal.aborted; turn++) {
      await takeTurn(socket, options)
      measures.turns++
    }
  } catch (error) {
    if (signal.aborted) return
    const reason = (error as Error).message
    measures.errors.set(reason, (measures.errors.get(reason) ?? 0) + 1)
  } finally {
    socket?.terminate()
  }
}

function open ({ url, key, signal, patienceMs }: SpeakerOptions): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` }, handshakeTimeout: patienceMs })
    signal.addEventListener('abort', () => socket.terminate(), { once: true })
    socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.code ?? error.message)))
    socket.once('unexpected-response', (request, { statusCode }) => reject(new Error(`refused with HTTP ${statusCode}`)))
    socket.once('close', code => reject(new Error(`closed with ${code}`)))
    socket.on('message', function settle (data: Buffer) {
      const { type, event } = readFrame(data)
      if (type === 'error') reject(new Error(`error ${event!.error.code}`))
      if (type === 'session.created') {
        socket.send(JSON.stringify({ type: 'session.update', session: { type: 'realtime', audio: { input: { transcription: { model: 'whisper-1' }, turn_detection: { type: 'server_vad' } } } } }))
      }
      if (type !== 'session.updated') return
      socket.off('message', settle)
      resolve(socket)
    })
  })
}

function takeTurn (socket: WebSocket, { frames, patienceMs, measures, signal }: SpeakerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const speechMs = frames.length * FRAME_MS
    // Speech ends when its last sample would have been spoken, which is when its last frame is sent.
    const answer: Waiting = { spokenAt: started + speechMs, firstWord: false, playsUntil: 0, gap: false, answered: false }
    let sent = 0
    let timer: NodeJS.Timeout
    const onClose = (code: number) => end(new Error(`closed with ${code}`))
    const onAbort = () => end()
    socket.on('message', take)
    socket.on('close', onClose)
    signal.addEventListener('abort', onAbort)
    timer = setTimeout(send, FRAME_MS)

    function send (): void {
      const now = performance.now()
      const due = started + (sent + 1) * FRAME_MS
      measures.lateness.push(Math.max(0, now - due))
      socket.send(frames[sent] ?? silentFrame, { binary: false })
      sent++
      if (answer.answered && now >= answer.playsUntil) return end()
      if (now > answer.spokenAt + patienceMs) return end(new Error(answer.answered ? 'an answer without end' : 'no answer in time'))
      timer = setTimeout(send, Math.max(0, due + FRAME_MS - performance.now()))
    }

    function take (data: Buffer): void {
      const { type, audioMs, event } = readFrame(data)
      const since = performance.now() - answer.spokenAt
      switch (type) {
        case 'input_audio_buffer.speech_stopped':
          // A pause within the sentence may end a turn too early; the one that counts is the last.
          if (since > 0) measures.turn_end.push(since)
          break
        case 'conversation.item.input_audio_transcription.completed':
          if (since > 0) measures.transcript.push(since)
          break
        case 'response.output_audio_transcript.delta':
        case 'response.audio_transcript.delta':
        case 'response.output_text.delta':
          if (since > 0 && !answer.firstWord) {
            answer.firstWord = true
            measures.first_word.push(since)
          }
          break
        case 'response.output_audio.delta':
        case 'response.audio.delta':
          hear(since, audioMs)
          break
        case 'error':
          return end(new Error(`error ${event!.error.code}`))
        case 'response.done': {
          const { status, status_details: details } = event!.response
          if (status === 'failed') return end(new Error(`failed ${details?.error?.code}`))
          if (status === 'completed' && since > 0) answer.answered = true
        }
      }
    }

    function hear (since: number, audioMs: number): void {
      if (since <= 0) return
      const now = performance.now()
      if (answer.playsUntil === 0) {
        measures.first_audio.push(since)
        answer.playsUntil = now
      } else if (now > answer.playsUntil) {
        if (!answer.gap) measures.gaps++
        answer.gap = true
        answer.playsUntil = now
      }
      answer.playsUntil += audioMs
    }

    function end (error?: Error): void {
      clearTimeout(timer)
      socket.off('message', take)
      socket.off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      if (error === undefined) resolve()
      else reject(error)
    }
  })
}
