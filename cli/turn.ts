import type { Event } from '../lib/client/index.js'
import type { RealtimeConnection } from './realtime.js'

export interface ToolCall { name: string, arguments: string, output: string }

export interface Turn {
  /** What was answered, in words. */
  text: string
  tools: ToolCall[]
  status: string
  /** Why there is no answer; null if there is one. */
  error: string | null
}

export interface TurnWatch {
  onText?: (delta: string) => void
  onAudio?: (base64: string) => void
  onTool?: (tool: ToolCall) => void
  onHeard?: (transcript: string) => void
}

/** Says something in writing, or nothing, and has it answered. */
export function writtenTurn (connection: RealtimeConnection, text: string | null, watch: TurnWatch = {}): Promise<Turn> {
  return turn(connection, watch, () => {
    if (text !== null) connection.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })
    connection.send({ type: 'response.create' })
  })
}

/** Resolves when the answer that `begin` asks for has come; an answer that runs a tool is one response. */
export function turn (connection: RealtimeConnection, watch: TurnWatch, begin: () => void): Promise<Turn> {
  const result: Turn = { text: '', tools: [], status: 'completed', error: null }
  return new Promise(resolve => {
    const stop = connection.subscribe(take, () => finish('incomplete', 'The server closed the connection.'))
    begin()

    function finish (status: string, error: string | null): void {
      stop()
      resolve({ ...result, status, error })
    }

    function take (event: Event): void {
      switch (event.type) {
        case 'response.output_text.delta':
        case 'response.output_audio_transcript.delta':
          result.text += event.delta as string
          return watch.onText?.(event.delta as string)
        case 'response.output_audio.delta':
          return watch.onAudio?.(event.delta as string)
        case 'conversation.item.input_audio_transcription.completed':
          return watch.onHeard?.(event.transcript as string)
        case 'response.output_item.done': {
          const item = event.item as { type: string, name: string, arguments: string, output?: string | null, error?: { message?: string } | null }
          if (item.type !== 'mcp_call') return
          const tool = { name: item.name, arguments: item.arguments, output: item.output ?? item.error?.message ?? '' }
          result.tools.push(tool)
          return watch.onTool?.(tool)
        }
        case 'error':
          return finish('failed', (event.error as { message: string }).message)
        case 'response.done': {
          const { status, status_details: details } = event.response as { status: string, status_details: { error?: { message: string } } | null }
          return finish(status, status === 'failed' ? details?.error?.message ?? 'The answer failed.' : null)
        }
      }
    }
  })
}
