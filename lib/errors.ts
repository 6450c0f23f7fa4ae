/**
 * Every error a client can be told, with its stable code (PROTOCOL: the `error` event). Match on
 * `code`, never on the message. A code that is retired is listed here and not used again: none so far.
 */
const codes = {
  // The frame itself
  invalid_json: 'The frame is not valid JSON.',
  invalid_event: 'The event is not an object with a \'type\'.',
  invalid_value: 'Invalid value.',
  invalid_type: 'Invalid type.',
  missing_required_parameter: 'Missing required parameter.',
  unknown_parameter: 'Unknown parameter.',
  string_above_max_length: 'The string is too long.',
  // Conversation, audio buffer, responses
  input_audio_buffer_commit_empty: 'The input audio buffer is too short to commit.',
  input_audio_buffer_full: 'The input audio buffer holds as much uncommitted audio as it may.',
  conversation_already_has_active_response: 'The conversation already has an active response.',
  response_cancel_not_active: 'Cancellation failed: no active response found.',
  conversation_full: 'The conversation holds as much as it may.',
  context_length_exceeded: 'The conversation is longer than the model is sent.',
  item_create_invalid_item_id: 'The item cannot be placed there.',
  item_retrieve_invalid_item_id: 'No such item.',
  item_delete_invalid_item_id: 'No such item.',
  item_truncate_invalid_item_id: 'No such item.',
  unsupported_content_type: 'Only model output audio messages can be truncated.',
  session_expired: 'The session is over.',
  rate_limit_exceeded: 'Too much at a time.',
  // Character directories
  invalid_directory_format: 'The directory is not a name or path.',
  directory_not_allowed: 'The directory is outside of every root.',
  directory_not_found: 'The directory does not exist.',
  directory_not_readable: 'The directory cannot be read.',
  version_not_found: 'The cast is not kept in this version.',
  too_many_characters: 'There are more characters than a session may have.',
  characters_too_large: 'The characters are larger than they may be.',
  cast_too_large: 'The cast is larger than it may be.',
  load_timeout: 'Loading the cast took too long.',
  too_many_reloads: 'The session reloads more often than it may.',
  no_valid_characters: 'The directory has no valid character.',
  // Character code, while loading or answering
  syntax_error: 'A character file has a syntax error.',
  import_error: 'A character file imports what cannot be found.',
  execution_error: 'Character code threw.',
  timeout: 'Character code took too long.',
  invalid_character: 'The file does not export a valid character.',
  duplicate_name: 'Another file of the cast has this name.',
  invalid_tools: 'A tool of the character is not valid.',
  // Engines
  engine_unavailable: 'An engine cannot be reached.',
  engine_failed: 'An engine failed.',
  // Operations
  session_not_found: 'There is no such session.',
  node_unreachable: 'The server that has the session does not answer.',
  store_unavailable: 'What the servers share cannot be reached.',
  // Before the upgrade
  upgrade_required: 'This path is a WebSocket: connect with an upgrade.',
  invalid_api_key: 'Incorrect API key provided.',
  origin_not_allowed: 'This origin may not connect.',
  host_not_allowed: 'This server is not to be reached by that name.',
  resume_not_found: 'There is no session to take up with this token.',
  resume_unavailable: 'Where sessions are kept cannot be reached.',
  session_limit_reached: 'The server has as many sessions as it may.',
  server_overloaded: 'The server does not keep up with the sessions it has.',
  server_draining: 'The server is shutting down.',
  server_error: 'The server had an error.'
} as const

export type ErrorCode = keyof typeof codes
export const errorCodes = Object.keys(codes) as ErrorCode[]

const serverFaults = new Set<ErrorCode>(['server_error', 'engine_failed', 'engine_unavailable', 'resume_unavailable', 'session_limit_reached', 'server_overloaded', 'server_draining', 'node_unreachable', 'store_unavailable'])

/** HTTP status of a refusal, where it is not 400. */
const statuses: Partial<Record<ErrorCode, number>> = {
  session_not_found: 404,
  resume_not_found: 404,
  node_unreachable: 503,
  store_unavailable: 503,
  upgrade_required: 426,
  invalid_api_key: 401,
  origin_not_allowed: 403,
  host_not_allowed: 403,
  rate_limit_exceeded: 429,
  resume_unavailable: 503,
  session_limit_reached: 503,
  server_overloaded: 503,
  server_draining: 503,
  server_error: 500
}

/** Codes with a status of their own: mostly refusals before the upgrade. */
export const statusCodes = Object.keys(statuses) as ErrorCode[]

/** Seconds after which a refusal may be over, where nobody knows better. */
const retries: Partial<Record<ErrorCode, number>> = { session_limit_reached: 5, server_draining: 5, node_unreachable: 5, store_unavailable: 5, resume_unavailable: 2 }

export interface RealtimeErrorOptions {
  message?: string
  /** Dotted path of the field at fault. */
  param?: string | null
  /** What a program can use beside the message, such as the errors of each file. */
  details?: unknown
  /** Seconds after which it is worth trying again: the `Retry-After` of a refusal. */
  retryAfter?: number
  cause?: unknown
}

/** An error meant for the client: what it says is safe to send. */
export class RealtimeError extends Error {
  override readonly name = 'RealtimeError'
  readonly code: ErrorCode
  readonly param: string | null
  readonly details: unknown
  readonly retryAfter: number | null

  constructor (code: ErrorCode, options: RealtimeErrorOptions = {}) {
    super(options.message ?? codes[code], options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.param = options.param ?? null
    this.details = options.details
    this.retryAfter = options.retryAfter ?? retries[code] ?? null
  }

  /** `invalid_request_error` when the client can mend it, else `server_error`. */
  get type (): 'invalid_request_error' | 'server_error' {
    return serverFaults.has(this.code) ? 'server_error' : 'invalid_request_error'
  }

  /** Of the HTTP answer, when it is a refusal before the upgrade or of a plain request. */
  get status (): number {
    return statuses[this.code] ?? 400
  }
}
