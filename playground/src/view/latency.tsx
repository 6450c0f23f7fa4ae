import { pathTimes, turnTimes, type TurnTimes } from '../session/latency.js'

const STAGES = [
  { key: 'turnEnd', title: 'turn ends' },
  { key: 'firstWord', title: 'first word' },
  { key: 'firstAudio', title: 'first audio' },
  { key: 'heard', title: 'heard' }
] as const

/** How long each answer took, from the end of what the user said. */
export function Latency () {
  const turns = turnTimes.value
  const longest = Math.max(1, ...turns.map(turn => turn.heard ?? turn.firstAudio ?? turn.firstWord ?? 0))
  const { capture, roundTrip, playback, gaps } = pathTimes.value
  return (
    <section class='latency panel' aria-labelledby='latency-title'>
      <h2 id='latency-title'>Latency</h2>
      {turns.length === 0
        ? <p class='empty'>Each turn draws a bar, from the end of your speech to the sound of the answer.</p>
        : (
          <table>
            <caption>Milliseconds after the end of what you said</caption>
            <thead>
              <tr><th scope='col'>turn</th>{STAGES.map(({ key, title }) => <th key={key} scope='col'><i class={`swatch ${key}`} />{title}</th>)}</tr>
            </thead>
            <tbody>{turns.toReversed().map(turn => <Turn key={turn.number} turn={turn} longest={longest} />)}</tbody>
          </table>
          )}
      <dl class='paths'>
        <div><dt>microphone to wire</dt><dd data-figure='capture'>{show(capture)}</dd></div>
        <div><dt>server and back</dt><dd data-figure='round-trip'>{show(roundTrip)}</dd></div>
        <div><dt>wire to speaker</dt><dd data-figure='playback'>{show(playback)}</dd></div>
        <div><dt>gaps</dt><dd data-figure='gaps'>{gaps}</dd></div>
      </dl>
    </section>
  )
}

function Turn ({ turn, longest }: { turn: TurnTimes, longest: number }) {
  let before = 0
  const bars = STAGES.map(({ key }) => {
    const at = turn[key]
    if (at === null) return null
    const width = Math.max(0, at - before)
    before = Math.max(before, at)
    return <i key={key} class={key} style={{ width: `${width / longest * 100}%` }} />
  })
  return (
    <>
      <tr><th scope='row'>{turn.number}{!turn.spoken && <span title='written'> ✎<span class='hidden'>written</span></span>}</th>{STAGES.map(({ key }) => <td key={key}>{turn[key] === null ? '–' : Math.round(turn[key])}</td>)}</tr>
      <tr class='bars' aria-hidden='true'><td colSpan={5}><div>{bars}</div></td></tr>
    </>
  )
}

function show (ms: number | null): string {
  return ms === null ? '–' : `${Math.round(ms)} ms`
}
