import type { ResponseObject } from '../events/response-object.js'
import type { Item } from '../events/items.js'
import type { Outgoing } from '../events/server.js'
import type { Dialect, DialectFactory, Spoken } from './dialect.js'
import { DEFAULT_TEMPERATURE, Temperature } from './temperature.js'

// The retired beta (`OpenAI-Beta: realtime=v1`), PROTOCOL sections 3.3, 7.9 and 14. Everything that differs
// from GA is in this file, but for the temperature, which is beside it.

type Fields = Record<string, unknown>

/** Server events that only have another name. */
export const betaNames: Record<string, string> = {
  'conversation.item.added': 'conversation.item.created',
  'response.output_text.delta': 'response.text.delta',
  'response.output_text.done': 'response.text.done',
  'response.output_audio.delta': 'response.audio.delta',
  'response.output_audio.done': 'response.audio.done',
  'response.output_audio_transcript.delta': 'response.audio_transcript.delta',
  'response.output_audio_transcript.done': 'response.audio_transcript.done'
}

const formats: Record<string, string> = { 'audio/pcm': 'pcm16', 'audio/pcmu': 'g711_ulaw', 'audio/pcma': 'g711_alaw' }
// Maps, where the client says the key: an object would also find what all objects inherit.
const gaFormats = new Map(Object.entries(formats).map(([ga, beta]) => [beta, ga]))

/** Beta has one pair of content types for either side. */
const gaContent = new Map<unknown, Map<unknown, string>>([
  ['assistant', new Map([['text', 'output_text'], ['audio', 'output_audio']])],
  ['user', new Map([['text', 'input_text'], ['audio', 'input_audio']])],
  ['system', new Map([['text', 'input_text']])]
])
const content: Record<string, string> = { output_text: 'text', output_audio: 'audio' }

/** Where the core finds a field at fault, and where the client wrote it. The first that fits is taken. */
const params: readonly (readonly [ga: string, beta: string])[] = [
  ['session.audio.input.format', 'session.input_audio_format'],
  ['session.audio.input.transcription', 'session.input_audio_transcription'],
  ['session.audio.input.noise_reduction', 'session.input_audio_noise_reduction'],
  ['session.audio.input.turn_detection', 'session.turn_detection'],
  ['session.audio.output.format', 'session.output_audio_format'],
  ['session.audio.output.voice', 'session.voice'],
  ['session.audio.output.speed', 'session.speed'],
  ['session.output_modalities', 'session.modalities'],
  ['session.max_output_tokens', 'session.max_response_output_tokens'],
  ['response.audio.output.format', 'response.output_audio_format'],
  ['response.audio.output.voice', 'response.voice'],
  ['response.output_modalities', 'response.modalities'],
  ['response.max_output_tokens', 'response.max_response_output_tokens']
]

/** Whether a client speaks beta: by header, or as browsers do by subprotocol (which is never answered). */
export function asksForBeta (headers: Record<string, string | string[] | undefined>): boolean {
  const has = (header: string, wanted: string) => String(headers[header] ?? '').split(',').some(value => value.trim() === wanted)
  return has('openai-beta', 'realtime=v1') || has('sec-websocket-protocol', 'openai-beta.realtime-v1')
}

export const createBeta: DialectFactory = conversationId => new Beta(conversationId)

class Beta implements Dialect {
  readonly #conversationId: string
  #type = 'realtime'
  readonly #temperature = new Temperature()

  constructor (conversationId: string) {
    this.#conversationId = conversationId
  }

  get temperature (): number | undefined {
    return this.#temperature.wanted
  }

  nameOf (type: string): string {
    return betaNames[type] ?? type
  }

  get sessionTemperature (): number | null {
    return this.#temperature.kept
  }

  set sessionTemperature (temperature: number | null) {
    this.#temperature.kept = temperature
  }

  hear (event: Spoken): Spoken {
    switch (event.type) {
      case 'session.update':
        return this.#hearUpdate(event, this.#type)
      case 'transcription_session.update':
        return this.#hearUpdate({ ...event, type: 'session.update' }, 'transcription')
      case 'conversation.item.create':
        return { ...event, item: gaItem(event.item) }
      case 'response.create':
        this.#temperature.ask(event, 'response')
        return isObject(event.response) ? { ...event, response: gaResponse(event.response) } : event
      default:
        return event
    }
  }

  say (event: Outgoing, send: (event: Spoken) => void): void {
    switch (event.type) {
      case 'session.created':
      case 'session.updated':
        this.#type = event.session.type
        if (event.type === 'session.updated') this.#temperature.updated()
        send({
          ...event,
          type: this.#type === 'transcription' ? `transcription_${event.type}` : event.type,
          session: betaSession(event.session, this.#temperature.shown)
        })
        if (event.type === 'session.created' && this.#type === 'realtime') {
          send({ type: 'conversation.created', conversation: { id: this.#conversationId, object: 'realtime.conversation' } })
        }
        return
      case 'conversation.item.done':
        // Beta tells of an item once, when it comes.
        return
      case 'conversation.item.added':
      case 'conversation.item.retrieved':
      case 'response.output_item.added':
      case 'response.output_item.done':
        send({ ...event, type: betaNames[event.type] ?? event.type, item: betaItem(event.item) })
        return
      case 'response.created':
      case 'response.done':
        send({ ...event, response: betaResponse(event.response, this.#temperature.of(event.response)) })
        return
      case 'error':
        this.#temperature.refused()
        send({ ...event, error: betaError(event.error) })
        return
      default:
        send({ ...event, type: betaNames[event.type] ?? event.type })
    }
  }

  #hearUpdate (event: Spoken, type: string): Spoken {
    this.#temperature.ask(event, 'session')
    return isObject(event.session) ? { ...event, session: gaSession(event.session, type) } : event
  }
}

/** A flat session as GA nests it. Fields that are the same in both, and the extension's, stay as they are. */
export function gaSession (flat: Fields, type: string): Fields {
  const {
    modalities, voice, speed, turn_detection: turnDetection, max_response_output_tokens: maxTokens,
    input_audio_format: inputFormat, input_audio_transcription: transcription, input_audio_noise_reduction: noiseReduction,
    output_audio_format: outputFormat, tools, temperature, client_secret: secret, audio, ...same
  } = flat
  const input = given({ format: gaFormat(inputFormat), transcription, noise_reduction: noiseReduction, turn_detection: turnDetection })
  const output = given({ format: gaFormat(outputFormat), voice, speed })
  return {
    ...same,
    type,
    ...given({ output_modalities: gaModalities(modalities), max_output_tokens: maxTokens ?? same.max_output_tokens, tools: gaTools(tools) }),
    audio: { ...given({ input }), ...given({ output }) }
  }
}

/** A GA session, realtime or transcription, laid flat (PROTOCOL section 3.3). */
export function betaSession (session: Fields, temperature: number = DEFAULT_TEMPERATURE): Fields {
  const { type, object, id, model, audio, output_modalities: modalities, max_output_tokens: maxTokens, expires_at: expiresAt, ...same } = session
  const { input, output } = audio as { input: Fields, output?: Fields }
  return {
    id,
    object,
    ...given({ model }),
    expires_at: expiresAt,
    input_audio_format: betaFormat(input.format),
    input_audio_transcription: input.transcription,
    input_audio_noise_reduction: input.noise_reduction,
    turn_detection: input.turn_detection,
    ...output === undefined
      ? {}
      : {
          modalities: betaModalities(modalities),
          voice: output.voice,
          output_audio_format: betaFormat(output.format),
          speed: output.speed,
          temperature,
          max_response_output_tokens: maxTokens
        },
    client_secret: null,
    ...same
  }
}

function gaResponse (flat: Fields): Fields {
  const {
    modalities, voice, output_audio_format: format, max_response_output_tokens: maxTokens, temperature, tools, input, audio, ...same
  } = flat
  return {
    ...same,
    ...given({
      output_modalities: gaModalities(modalities),
      max_output_tokens: maxTokens ?? same.max_output_tokens,
      tools: gaTools(tools),
      input: Array.isArray(input) ? input.map(gaItem) : input
    }),
    audio: { output: given({ format: gaFormat(format), voice }) }
  }
}

function betaResponse (response: ResponseObject, temperature: number): Fields {
  const { output, output_modalities: modalities, audio, ...same } = response
  return {
    ...same,
    output: output.map(betaItem),
    modalities: betaModalities(modalities),
    voice: audio.output.voice,
    output_audio_format: betaFormat(audio.output.format),
    temperature
  }
}

function gaItem (given: unknown): unknown {
  if (!isObject(given)) return given
  const { object, ...item } = given
  if (!Array.isArray(item.content)) return item
  const types = gaContent.get(item.role)
  return {
    ...item,
    content: item.content.map((part: unknown) => isObject(part) && 'type' in part ? { ...part, type: types?.get(part.type) ?? part.type } : part)
  }
}

function betaItem (item: Item): Fields {
  const { id, ...rest } = item
  if (rest.type !== 'message') return { id, object: 'realtime.item', ...rest }
  return { id, object: 'realtime.item', ...rest, content: rest.content.map(part => ({ ...part, type: content[part.type] ?? part.type })) }
}

/** Speaks of the field, and of the values, that the client can write. */
export function betaError <T extends { param: string | null, message: string }> (error: T): T {
  const { param } = error
  const message = error.message.replace(/'(?:audio\/pcm[ua]?|output_text|output_audio)'/g, quoted => {
    const name = quoted.slice(1, -1)
    return `'${formats[name] ?? content[name]}'`
  })
  const known = params.find(([ga]) => param === ga || param?.startsWith(`${ga}.`) || param?.startsWith(`${ga}[`))
  if (param === null || known === undefined) return { ...error, message }
  const [ga, beta] = known
  // A format is one word here: its inner fields have no path of their own.
  const own = ga.endsWith('.format') ? beta : beta + param.slice(ga.length)
  return { ...error, param: own, message: message.replaceAll(`'${param}'`, `'${own}'`) }
}

/** Beta speaks and writes, or only writes; GA says which one of the two the model makes. */
function gaModalities (modalities: unknown): unknown {
  if (!Array.isArray(modalities)) return modalities
  return modalities.includes('audio') ? modalities.filter(modality => modality !== 'text') : modalities
}

function betaModalities (modalities: unknown): unknown {
  return (modalities as string[]).includes('audio') ? ['text', 'audio'] : ['text']
}

function gaFormat (format: unknown): unknown {
  if (typeof format !== 'string') return format
  const type = gaFormats.get(format) ?? format
  return type === 'audio/pcm' ? { type, rate: 24000 } : { type }
}

function betaFormat (format: unknown): string {
  return formats[(format as { type: string }).type]!
}

/** Beta clients may leave out what kind of tool it is: there is one. */
function gaTools (tools: unknown): unknown {
  return Array.isArray(tools) ? tools.map((tool: unknown) => isObject(tool) ? { type: 'function', ...tool } : tool) : tools
}

function isObject (value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The fields that have a value. */
function given (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
