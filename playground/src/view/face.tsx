import { useState } from 'preact/hooks'

/** A character's own picture; for one that has none, always the same face for a name, drawn from its letters. */
export function Face ({ name, picture = null, level = 0 }: { name: string, picture?: string | null, level?: number }) {
  const [broken, setBroken] = useState<string | null>(null)
  if (picture === null || picture === broken) return <Drawn name={name} level={level} />
  return <img class='face' src={picture} alt='' onError={() => setBroken(picture)} />
}

function Drawn ({ name, level }: { name: string, level: number }) {
  const seed = hash(name)
  const pick = (shift: number, count: number) => (seed >>> shift) % count
  const hue = pick(0, 24) * 15
  const [hair, eyes, brow] = [pick(5, 4), pick(9, 3), pick(13, 3)]
  const skin = 82 - pick(19, 4) * 11
  // Always darker than the skin, or it is no hair.
  const dark = Math.min(18 + pick(25, 4) * 11, skin - 26)
  // Nobody speaks with a mouth that is shut.
  const open = Math.min(7, 1.2 + level * 40)
  return (
    <svg class='face' viewBox='0 0 64 64' aria-hidden='true' focusable='false'>
      <rect width='64' height='64' rx='20' fill={`hsl(${hue} 42% 84%)`} />
      <path d='M10 64c2-13 12-17 22-17s20 4 22 17z' fill={`hsl(${(hue + 150) % 360} 32% 46%)`} />
      <ellipse cx='32' cy='31' rx='15' ry='17' fill={`hsl(${25 + pick(17, 3) * 6} 48% ${skin}%)`} />
      <path d={HAIR[hair]} fill={`hsl(${pick(21, 6) * 11} ${18 + pick(23, 3) * 12}% ${dark}%)`} />
      {[25.5, 38.5].map(x => <ellipse key={x} cx={x} cy='31' rx={1.7 + eyes * 0.3} ry={2 + eyes * 0.4} fill='#2b2522' />)}
      <path d={`M22.500 ${26.5 - brow}q3-1.500 6 0M35.500 ${26.5 - brow}q3-1.500 6 0`} stroke='#2b2522' stroke-opacity='.55' stroke-width='1.300' fill='none' stroke-linecap='round' />
      <ellipse cx='32' cy='40' rx='5' ry={open} fill='#7c3b3b' />
    </svg>
  )
}

const HAIR = [
  'M16 30c-2-15 7-20 16-20s18 5 16 20c-3-8-8-11-16-11s-13 3-16 11z',
  'M17 33c-4-16 5-24 16-23 9 0 17 6 14 23-1-6-3-9-6-12-8 2-16 1-19-1-3 4-4 8-5 13z',
  'M18 27c0-13 8-17 14-17s15 3 14 17c-2-5-5-8-9-8-5 2-11 2-15 0-2 2-3 4-4 8z',
  'M14 44c-4-22 4-34 18-34s22 12 18 34c-3-6-3-14-5-19-7 0-16-2-20-6-4 6-7 15-11 25z'
]

function hash (text: string): number {
  let value = 2166136261
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0)!, 16777619)
  value ^= value >>> 15
  return Math.imul(value, 2246822519) >>> 0
}
