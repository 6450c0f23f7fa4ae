import type { IncomingHttpHeaders } from 'node:http'
import type { Engines } from '../engines/engine.js'
import { OptionsError } from '../options.js'
import type { SessionObserver } from '../realtime/observer.js'

/** What one session is traced with. */
export interface SessionTrace {
  readonly observer: SessionObserver
  /** The engines, whose work becomes spans. */
  engines (engines: Engines): Engines
  /** The session is over. */
  end (): void
}

/** Traces of sessions, through whatever OpenTelemetry SDK the operator has registered (docs/tracing.md). */
export interface Tracing {
  /** @param headers of the upgrade: a `traceparent` among them is the parent of all turns */
  open (headers: IncomingHttpHeaders, sessionId: string): SessionTrace
}

/** Tracing needs a package that is the operator's to install. */
export async function loadTracing (): Promise<Tracing> {
  try {
    await import('@opentelemetry/api')
  } catch (cause) {
    throw new OptionsError('Option \'tracing\' needs the package @opentelemetry/api: npm install @opentelemetry/api.', { cause })
  }
  const { createTracing } = await import('./spans.js')
  return createTracing()
}
