import { faces, selected } from '../session/cast.js'
import { connect } from '../session/connection.js'
import { cancel, press, release, start, stop } from '../session/session.js'
import { settings } from '../session/settings.js'
import { useMicrophone } from '../session/sound.js'
import { answerLevel, connection, listening, microphoneOn, muted, pressed, problem, responding, userLevel } from '../session/state.js'
import { Face } from './face.js'
import { Meter } from './meter.js'

const STATES = { off: 'Ready when you are.', connecting: 'Connecting…', on: 'Connected', waiting: 'Not connected, trying again…' } as const
/** Names beyond this many characters are set smaller. */
const LONG = 28

/** Who is there, what they are doing, and the few buttons that matter. */
export function Stage () {
  const name = selected.value ?? 'Nobody'
  const face = faces.value.find(one => one.name === name)
  const speaking = answerLevel.value > 0.005
  return (
    <section class='stage' aria-label='Conversation partner'>
      <div class={`portrait ${speaking ? 'speaking' : ''} ${connection.value === 'on' ? 'awake' : ''}`}><Face name={name} picture={face?.picture ?? null} level={answerLevel.value} /></div>
      <div class='who'>
        <h1 class={name.length > LONG ? 'long' : ''}>{name}</h1>
        <p>{face?.comment ?? face?.description ?? ' '}</p>
        <p class='state' role='status'>{doing(speaking)}</p>
      </div>
      <div class='controls'><Controls /></div>
      <div class='meters'>
        <Meter label='You' level={userLevel} />
        <Meter label={name} level={answerLevel} />
      </div>
    </section>
  )
}

function doing (speaking: boolean): string {
  if (connection.value === 'off' && problem.value !== null) return 'Not connected'
  if (connection.value !== 'on') return STATES[connection.value]
  if (speaking) return 'Speaking. Interrupt whenever you like.'
  if (responding.value) return 'Thinking…'
  if (!microphoneOn.value) return 'Connected. Type something.'
  if (settings.value.mode === 'push-to-talk') return pressed.value ? 'Listening…' : 'Hold the button, or the space bar, and talk.'
  return listening.value ? 'Listening. Just talk.' : 'Muted.'
}

/** Screen readers and the return key press and release at once: they press to begin, and again to end. */
function toggle (): void {
  if (pressed.value) release()
  else press().catch(() => {})
}

function Controls () {
  if (connection.value === 'off') {
    return <button type='button' class='primary large' onClick={() => { start().catch(() => {}) }}>Start talking</button>
  }
  if (connection.value !== 'on') {
    return (
      <>
        <button type='button' disabled={connection.value === 'connecting'} onClick={() => { connect().catch(() => {}) }}>{connection.value === 'connecting' ? 'Connecting…' : 'Try now'}</button>
        <button type='button' class='quiet' onClick={stop}>End</button>
      </>
    )
  }
  return (
    <>
      {settings.value.mode === 'push-to-talk'
        ? (
          <button
            type='button' class='primary large talk' aria-pressed={pressed.value}
            onClick={event => { if (event.detail === 0) toggle() }}
            onPointerDown={() => { press().catch(() => {}) }} onPointerUp={release} onPointerLeave={release} onPointerCancel={release}
          >{pressed.value ? 'Listening…' : 'Hold to talk'}
          </button>
          )
        : microphoneOn.value
          ? <button type='button' aria-pressed={muted.value} onClick={() => { muted.value = !muted.value }}>{muted.value ? 'Unmute' : 'Mute'}</button>
          : <button type='button' onClick={() => { useMicrophone().catch(() => {}) }}>Use the microphone</button>}
      <button type='button' disabled={!responding.value && answerLevel.value <= 0.005} onClick={() => { cancel().catch(() => {}) }}>Stop the answer</button>
      <button type='button' class='quiet' onClick={stop}>End</button>
    </>
  )
}
