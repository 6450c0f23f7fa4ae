export interface Question {
  ask: string
  /** Any of these words makes the answer right. */
  right: string[]
  /** The answer as a sentence. */
  tell: string
  hint: string
}

export const questions: Question[] = [
  { ask: 'Which planet wears the brightest rings?', right: ['saturn'], tell: 'It is Saturn.', hint: 'One day of the week is named after it.' },
  { ask: 'How many legs has a spider?', right: ['eight', '8'], tell: 'A spider has eight.', hint: 'Two more than an ant.' },
  { ask: 'What do bees make that people steal for breakfast?', right: ['honey'], tell: 'It is honey.', hint: 'It is golden and sticks to the spoon.' },
  { ask: 'Which instrument has eighty-eight keys?', right: ['piano', 'grand'], tell: 'It is the piano.', hint: 'Its keys are black and white.' },
  { ask: 'What falls all winter and never gets hurt?', right: ['snow'], tell: 'It is the snow.', hint: 'You can build a man of it.' },
  { ask: 'Which ocean is the largest?', right: ['pacific'], tell: 'It is the Pacific.', hint: 'Its name means peaceful.' },
  { ask: 'What has hands but cannot clap?', right: ['clock', 'watch'], tell: 'It is a clock.', hint: 'Ask my neighbour Tobias.' },
  { ask: 'Which bird can turn its head almost all the way round?', right: ['owl'], tell: 'It is the owl.', hint: 'It works at night.' },
  { ask: 'What do you call water when it is hard enough to skate on?', right: ['ice'], tell: 'It is ice.', hint: 'It also goes into lemonade.' },
  { ask: 'What gets wetter the more it dries?', right: ['towel'], tell: 'It is a towel.', hint: 'It hangs beside the bath.' }
]
