import type { Check } from '../check.js'
import audio from './audio.js'
import beta from './beta.js'
import connection from './connection.js'
import errors from './errors.js'
import functions from './functions.js'
import idle from './idle.js'
import interruption from './interruption.js'
import items from './items.js'
import outOfBand from './out-of-band.js'
import pushToTalk from './push-to-talk.js'
import responses from './responses.js'
import secrets from './secrets.js'
import session from './session.js'
import text from './text.js'
import transcription from './transcription.js'
import truncate from './truncate.js'
import turns from './turns.js'

/** Everything that is asked, in the order of the report. */
export const groups: Readonly<Record<string, readonly Check[]>> = {
  connection,
  session,
  items,
  text,
  audio,
  truncate,
  functions,
  responses,
  'out-of-band': outOfBand,
  'push-to-talk': pushToTalk,
  turns,
  interruption,
  idle,
  transcription,
  errors,
  secrets,
  beta
}
