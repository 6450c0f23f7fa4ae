import type { Handler } from './table.js'

/** `input_audio_buffer.append`: no answer of its own. */
export const append: Handler<'input_audio_buffer.append'> = (session, { audio }) => {
  session.listener.append(audio)
}

/** `input_audio_buffer.commit`: makes an item, and no response. */
export const commit: Handler<'input_audio_buffer.commit'> = session => {
  session.listener.commit()
}

export const clear: Handler<'input_audio_buffer.clear'> = session => {
  session.listener.clear()
  session.outbox.send({ type: 'input_audio_buffer.cleared' })
}
