/**
 * The calls of one cast that are running. A call ends for the session as soon as its signal aborts,
 * its time is up or the cast is replaced; but the code behind it may go on, and until it has ended
 * the namespace is not purged.
 */
import { RealtimeError } from '../errors.js'
import type { CharacterContext, SessionFacts, ToolContext } from './character.js'
import { Fault, type Place } from './fault.js'
import { createHelpers } from './helper-functions.js'
import type { CharacterLimits } from './limits.js'
import type { LoadedCharacter } from './loaded-character.js'
import type { Logger } from './logger.js'
import type { Namespace } from './namespace.js'

export interface Call {
  character: LoadedCharacter
  what: string
  kind: 'prompt' | 'tool'
  signal: AbortSignal
  instructions: CharacterContext['instructions']
  missing?: boolean
  invoke: (context: ToolContext) => unknown
  /** What is wrong with the result. */
  check?: (result: unknown) => string | undefined
}

export interface CallsOptions {
  namespace: Namespace
  session: SessionFacts
  limits: CharacterLimits
  log: Logger
  /** How a file is called in messages: its path from the cast's directory. */
  fileName: (path: string) => string
  onFault: (fault: Fault, character: LoadedCharacter) => void
}

export class Calls {
  readonly #options: CallsOptions
  readonly #running = new Set<Promise<unknown>>()
  readonly #aborts = new Set<(reason: Error) => void>()
  #retired = false

  constructor (options: CallsOptions) {
    this.#options = options
  }

  async run (call: Call): Promise<unknown> {
    this.#checkWanted(call)
    const { namespace, limits } = this.#options
    if (call.missing) throw this.#toError(new Fault('invalid_tools', `${call.character.name} has no ${call.what}.`, this.#place(call)), call)

    const controller = new AbortController()
    let value
    try {
      ({ result: value } = await namespace.callSoon(() => {
        this.#checkWanted(call)
        const result = call.invoke(this.#context(call, controller))
        if (!isThenable(result)) return result
        // Assimilating a promise calls its `then`: that is the character's code too. It is watched from here
        // on, as the cast may be replaced before anybody can wait for it
        return this.#settle(Promise.resolve(result), call, controller, call.kind === 'prompt' ? limits.promptMs : limits.toolMs)
      }))
    } catch (error) {
      this.#abort(controller, call)
      this.#checkWanted(call)
      throw this.#toError(namespace.toFault(error, this.#place(call)), call)
    }
    value = await value
    const problem = call.check?.(value)
    if (problem !== undefined) throw this.#toError(new Fault('execution_error', problem, this.#place(call)), call)
    return value
  }

  /** Throws if nobody waits for the call any more. */
  #checkWanted ({ signal }: Call): void {
    if (this.#retired) throw replaced()
    signal.throwIfAborted()
  }

  /** No call begins any more, the running ones are aborted; resolves when their code has ended, or after the limit. */
  async retire (): Promise<void> {
    this.#retired = true
    for (const abort of this.#aborts) abort(replaced())
    if (this.#running.size === 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise(resolve => { timer = setTimeout(resolve, this.#options.limits.settleMs) })
    await Promise.race([Promise.allSettled(this.#running), late])
    clearTimeout(timer)
  }

  async #settle (result: Promise<unknown>, call: Call, controller: AbortController, ms: number): Promise<unknown> {
    const { namespace } = this.#options
    const ended = result.then(() => {}, () => {}).finally(() => this.#running.delete(ended))
    this.#running.add(ended)
    return await new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer)
        call.signal.removeEventListener('abort', onAbort)
        this.#aborts.delete(abandon)
      }
      const abandon = (reason: unknown) => {
        finish()
        this.#abort(controller, call, reason)
        reject(reason)
      }
      const onAbort = () => abandon(call.signal.reason)
      const timer = setTimeout(() => {
        abandon(this.#toError(new Fault('timeout', `${call.what} did not settle within ${ms} ms.`, this.#place(call)), call))
      }, ms)
      call.signal.addEventListener('abort', onAbort, { once: true })
      this.#aborts.add(abandon)
      result.then(value => {
        finish()
        resolve(value)
      }, (error: unknown) => {
        if (!this.#aborts.has(abandon)) return
        finish()
        reject(this.#toError(namespace.toFault(error, this.#place(call)), call))
      })
    })
  }

  /** Whoever listens to the signal is the character's code too, bounded like the rest of it. */
  #abort (controller: AbortController, call: Call, reason?: unknown): void {
    const { namespace, onFault } = this.#options
    try {
      namespace.call(() => controller.abort(reason))
    } catch (error) {
      onFault(namespace.toFault(error, this.#place(call)), call.character)
    }
  }

  #context (call: Call, controller: AbortController): ToolContext {
    const { session, log } = this.#options
    const { id, startedAt, language, userName } = session
    const context: CharacterContext = {
      instructions: call.instructions,
      session: Object.freeze({ id, startedAt: new Date(startedAt), language, ...userName === undefined ? {} : { userName } }),
      helpers: createHelpers(language),
      // Made when it is asked for, which few prompts do: it costs more than the rest of the context.
      get signal () { return controller.signal }
    }
    if (call.kind === 'prompt') return context as ToolContext
    const fields = { session: id, character: call.character.name }
    const write = (level: 'info' | 'warn' | 'error') => (message: string, more?: object) => {
      if (!this.#options.namespace.scope.closed) log[level]({ ...more, ...fields }, String(message))
    }
    return { ...context, log: { info: write('info'), warn: write('warn'), error: write('error') } }
  }

  #place (call: Call): Place {
    return { file: call.character.file, line: null, column: null }
  }

  #toError (fault: Fault, call: Call): RealtimeError {
    const { fileName, onFault } = this.#options
    onFault(fault, call.character)
    const { file, line, column } = fault.place
    const name = fileName(file)
    const where = line === null ? name : `${name}:${line}:${column}`
    return new RealtimeError(fault.code, {
      message: `${where}: ${fault.message}`,
      details: { file: name, line, column, code: fault.code, message: fault.message, character: call.character.name }
    })
  }
}

function replaced (): RealtimeError {
  return new RealtimeError('execution_error', { message: 'The character was replaced, or its session is over.' })
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && typeof (value as { then?: unknown }).then === 'function'
}
