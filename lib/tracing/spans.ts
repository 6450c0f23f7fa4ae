import { context, propagation, ROOT_CONTEXT, SpanStatusCode, trace, type Attributes, type Context, type Span } from '@opentelemetry/api'
import type { Engine, Engines } from '../engines/engine.js'
import type { SessionObserver } from '../realtime/observer.js'
import type { SessionTrace, Tracing } from './tracing.js'

/** Recognition of a turn: it begins before there is a turn, and mostly ends when there is one. */
interface Hearing { engine: string, startedAt: number, endedAt: number | null, error: unknown, turn: Context | null }

interface Call { readonly signal: AbortSignal }

/** On OpenTelemetry's clock: milliseconds since 1970, with a fraction. */
const now = (): number => performance.timeOrigin + performance.now()

/** A span a turn, from the first word heard to the end of the answer, and in it one for each stage: `stt`, `llm`, `tts`, `tool`. */
export function createTracing (): Tracing {
  const tracer = trace.getTracer('dramatis')

  return {
    open (headers, sessionId): SessionTrace {
      const parent = propagation.extract(ROOT_CONTEXT, headers)
      const common: Attributes = { 'dramatis.session.id': sessionId }
      /** By the signal of the response, which all that is done for it has. */
      const turns = new Map<AbortSignal, { span: Span, within: Context }>()
      const signals = new Map<string, AbortSignal>()
      let hearing: Hearing | null = null

      /** Once both are known: when it ended, and the turn it belongs to. */
      function writeHearing ({ engine, startedAt, endedAt, error, turn }: Hearing): void {
        const span = tracer.startSpan('stt', { startTime: startedAt, attributes: { ...common, 'dramatis.engine': engine } }, turn ?? parent)
        finish(span, error, endedAt ?? now())
      }

      /** Nobody has answered what was heard, and nobody will. */
      function dropHearing (): void {
        if (hearing?.endedAt != null) writeHearing(hearing)
        hearing = null
      }

      const observer: SessionObserver = {
        answering ({ id, signal, character, voiced }) {
          const heard = voiced ? hearing : null
          const attributes = { ...common, 'dramatis.response.id': id, ...character === null ? {} : { 'dramatis.character': character } }
          const span = tracer.startSpan('turn', { startTime: heard?.startedAt ?? now(), attributes }, parent)
          const within = trace.setSpan(parent, span)
          turns.set(signal, { span, within })
          signals.set(id, signal)
          if (heard === null) return
          heard.turn = within
          hearing = null
          if (heard.endedAt !== null) writeHearing(heard)
        },
        response (status, id) {
          const signal = signals.get(id)
          const turn = signal === undefined ? undefined : turns.get(signal)
          if (turn === undefined) return
          turns.delete(signal!)
          signals.delete(id)
          turn.span.setAttribute('dramatis.response.status', status)
          if (status === 'failed') turn.span.setStatus({ code: SpanStatusCode.ERROR })
          turn.span.end()
        },
        toolCall (outcome, { name, signal, startedAt }) {
          const span = tracer.startSpan('tool', {
            startTime: performance.timeOrigin + startedAt, attributes: { ...common, 'gen_ai.tool.name': name }
          }, turns.get(signal)?.within ?? parent)
          finish(span, outcome === 'error' ? outcome : undefined)
        }
      }

      /** Engines wherever they run see their span as the active one: their own requests carry it on. */
      async function * inSpan<T> (name: string, engine: Engine, model: string | undefined, { signal }: Call, work: () => AsyncIterable<T>): AsyncIterable<T> {
        const within = turns.get(signal)?.within ?? parent
        const span = tracer.startSpan(name, { attributes: { ...common, 'dramatis.engine': engine.name, ...model === undefined ? {} : { 'gen_ai.request.model': model } } }, within)
        const inside = trace.setSpan(within, span)
        let error: unknown
        let first = true
        const iterator = context.with(inside, work)[Symbol.asyncIterator]()
        try {
          for (;;) {
            const { done, value } = await context.with(inside, () => iterator.next())
            if (done === true) return
            if (first) span.addEvent('first')
            first = false
            yield value
          }
        } catch (thrown) {
          error = thrown
          throw thrown
        } finally {
          // What was interrupted is no fault.
          finish(span, signal.aborted ? undefined : error)
          await iterator.return?.()
        }
      }

      async function * hear<T> (engine: Engine, work: () => AsyncIterable<T>): AsyncIterable<T> {
        dropHearing()
        const own: Hearing = { engine: engine.name, startedAt: now(), endedAt: null, error: undefined, turn: null }
        hearing = own
        try {
          yield * work()
        } catch (error) {
          own.error = error
          throw error
        } finally {
          own.endedAt = now()
          if (own.turn !== null) writeHearing(own)
          else if (hearing !== own) writeHearing(own)
        }
      }

      return {
        observer,
        engines: ({ vad, stt, llm, tts }: Engines): Engines => ({
          vad,
          stt: replace(stt, 'transcribe', (audio, options) => hear(stt, () => stt.transcribe(audio, options))),
          llm: replace(llm, 'generate', (request, call) => inSpan('llm', llm, request.model ?? llm.model, call, () => llm.generate(request, call))),
          tts: replace(tts, 'synthesize', (text, options) => inSpan('tts', tts, undefined, options, () => tts.synthesize(text, options)))
        }),
        end () {
          dropHearing()
          for (const { span } of turns.values()) span.end()
          turns.clear()
          signals.clear()
        }
      }
    }
  }
}

/** Says that it failed, not with what words: they might be somebody's. */
function finish (span: Span, error: unknown, at?: number): void {
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as { code?: unknown } | null)?.code ?? 'error') })
  span.end(at)
}

/** The engine with another method. A copy would lose what its class keeps private. */
function replace<E extends Engine, K extends keyof E> (engine: E, method: K, by: E[K]): E {
  return new Proxy(engine, {
    get (target, key) {
      if (key === method) return by
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}
