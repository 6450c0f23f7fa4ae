import { toRenderTime } from './clock.js'
import workletUrl from './capture-worklet.ts?worker&url'

const RATE = 24_000

export interface Frame {
  samples: Int16Array
  /** 0 to 1. */
  level: number
  /** When its first sample was heard, in `performance.now()`. */
  capturedAt: number
}

export interface MicrophoneOptions {
  /** Of the device; empty: the browser's choice. */
  deviceId: string
  /** Echo cancellation, noise suppression, automatic gain. */
  processing: boolean
  onFrame: (frame: Frame) => void
  /** The device went away. */
  onLost: () => void
}

export interface Microphone { close (): void }

/** Opens the microphone. Rejects with an `Error` whose message tells a person what to do. */
export async function openMicrophone (options: MicrophoneOptions): Promise<Microphone> {
  if (navigator.mediaDevices?.getUserMedia === undefined) {
    throw new Error('Browsers give the microphone to pages of localhost or https only. Open this page as http://localhost, or serve it with TLS_CERT and TLS_KEY.')
  }
  const { deviceId, processing } = options
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {
      ...deviceId === '' ? {} : { deviceId: { exact: deviceId } },
      channelCount: 1,
      echoCancellation: processing,
      noiseSuppression: processing,
      autoGainControl: processing
    }
  }).catch((error: DOMException) => { throw new Error(explain(error)) })

  const [track] = stream.getAudioTracks()
  track!.addEventListener('ended', options.onLost)
  const { context, source } = await connect(stream)
  const node = new AudioWorkletNode(context, 'capture', { numberOfInputs: 1, numberOfOutputs: 1 })
  node.port.onmessage = ({ data: { samples, level, at } }) => options.onFrame({ samples, level, capturedAt: toRenderTime(context, at) })
  // A node that leads nowhere is not run by every browser: it leads to silence.
  const mute = new GainNode(context, { gain: 0 })
  source.connect(node).connect(mute).connect(context.destination)

  return {
    close () {
      track!.removeEventListener('ended', options.onLost)
      for (const one of stream.getTracks()) one.stop()
      context.close().catch(() => {})
    }
  }
}

/** At the protocol's rate where the browser converts; Firefox takes a microphone only at its own. */
async function connect (stream: MediaStream): Promise<{ context: AudioContext, source: MediaStreamAudioSourceNode }> {
  for (const options of [{ sampleRate: RATE }, {}]) {
    const context = new AudioContext({ ...options, latencyHint: 'interactive' })
    try {
      await context.audioWorklet.addModule(workletUrl)
      await context.resume()
      return { context, source: context.createMediaStreamSource(stream) }
    } catch (error) {
      await context.close()
      if ((error as DOMException).name !== 'NotSupportedError') throw error
    }
  }
  throw new Error('This browser cannot listen to that microphone.')
}

function explain ({ name, message }: DOMException): string {
  switch (name) {
    case 'NotAllowedError': return 'The microphone is blocked. Allow it for this page (the icon beside the address), then try again. Until then you can type.'
    case 'NotFoundError':
    case 'OverconstrainedError': return 'There is no microphone. Plug one in or choose another in the settings, then try again. Until then you can type.'
    case 'NotReadableError': return 'The microphone is in use by another program. Close that, then try again. Until then you can type.'
    default: return `The microphone cannot be opened: ${message}. Until it can you may type.`
  }
}
