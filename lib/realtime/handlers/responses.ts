import { RealtimeError } from '../../errors.js'
import type { RealtimeSession } from '../session.js'
import type { Handler } from './table.js'

export const createResponse: Handler<'response.create'> = (session, { response }) => {
  mustAnswer(session, 'response.create')
  const plan = session.plan(response ?? {})
  if (plan.inConversation) session.conversation.admit()
  session.responses.create(plan)
}

export const cancelResponse: Handler<'response.cancel'> = (session, { response_id: id }) => {
  mustAnswer(session, 'response.cancel')
  session.responses.cancel(id ?? null)
}

/** Sessions that only transcribe have no responses (PROTOCOL section 11). */
function mustAnswer ({ settings }: RealtimeSession, type: string): void {
  if (settings.type === 'realtime') return
  throw new RealtimeError('invalid_value', { param: 'type', message: `Invalid value: '${type}'. A transcription session makes no responses.` })
}
