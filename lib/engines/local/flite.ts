import { readFile } from 'node:fs/promises'
import { toSamples } from '../../audio/pcm.js'
import { modelFile } from './files.js'
import type { Speaker } from './speaker.js'
import { fliteVoices } from './voices.js'
import { Command } from './wasi.js'

/** What the file begins with before its samples. */
const WAV_HEADER = 44

/** Flite, a command that speaks one text and ends. */
export async function loadFlite (path: string): Promise<Speaker> {
  const program = await WebAssembly.compile(await readFile(modelFile(path)))
  let next: Command | undefined

  const speaker: Speaker = {
    voices: Object.keys(fliteVoices),
    prepare () {
      next ??= new Command(program)
    },
    async speak (text, voice, speed) {
      const { base, size = 1, pitch, pace = 1 } = fliteVoices[voice]!
      const command = next ?? new Command(program)
      next = undefined
      const settings = [['duration_stretch', pace * size / speed], ...pitch === undefined ? [] : [['int_f0_target_mean', pitch]]]
      const wav = command.run([
        '-voice', base,
        ...settings.flatMap(([name, value]) => ['--setf', `${name}=${value}`]),
        '-t', speakable(text),
        '-o', 'speech.wav'
      ])
      return { samples: toSamples(wav.subarray(WAV_HEADER)), rate: Math.round(wav.readUInt32LE(24) * size) }
    }
  }
  // The first run compiles what later ones use.
  await speaker.speak('Hello.', 'slt', 1)
  return speaker
}

/** Flite reads ASCII: accents go, typographic signs become plain ones, all else is silence. */
function speakable (text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[‘’‛′]/g, "'")
    .replace(/[“”„″«»]/g, '"')
    .replace(/\s*[–—―]+\s*/g, ', ')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}
