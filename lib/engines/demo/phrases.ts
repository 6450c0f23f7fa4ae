/**
 * What the demo brain says by itself, in one language. Lines may hold
 * `{me}` (the character), `{name}` (the user, if known: else the line is left out), `{hint}` (a line
 * of the script to try next), `{topic}`, `{last}` (what was said before), and `{1}`, what the pattern
 * captured, seen from the other side.
 */
export interface Phrases {
  /** Words by which this language is recognised. */
  common: readonly string[]
  /** Patterns that capture the user's name. */
  names: readonly RegExp[]
  /** Tried in order, before an example that fits only loosely. */
  personal: readonly Reply[]
  /** Tried in order, when no example fits: greetings and their like, which are never the answer to a question. */
  courtesy: readonly Reply[]
  /** Tried in order, when nothing else fits. */
  smallTalk: readonly Reply[]
  fallback: readonly string[]
  /** Fallback for questions. */
  unknown: readonly string[]
  /** Every fourth fallback: what it is. */
  honest: readonly string[]
  /** When the answer is the same as the last one. */
  again: readonly string[]
  /** When nothing was said, or nothing understood. */
  silence: readonly string[]
  /** When only a picture came. */
  picture: readonly string[]
  /** When asked to go on by itself. */
  more: readonly string[]
  /** Greeting of a character without one. */
  greeting: string
}

export interface Reply {
  when: RegExp
  say: readonly string[]
  /** The capture is said back word for word. */
  verbatim?: true
}

export const english: Phrases = {
  common: 'the a an and of to in is it i you that my your for with me are was have what this on not do so but we'.split(' '),
  names: [
    /\b(?:my name is|my name's|i am called|i'm called|people call me|you can call me|please call me)\s+(\p{L}[\p{L}'’-]+)/iu,
    /^(?:(?:hi|hello|hey|well)[\s,.!]+)?(?:I'm|I’m|I am|this is) (\p{Lu}\p{Ll}+)[.!]?$/u
  ],
  personal: [
    { when: /\b(?:my name is|my name's|i am called|i'm called|people call me|you can call me|please call me)\s+\p{L}/iu, say: ['It is a pleasure to meet you, {name}.', '{name}. What a good name. I will remember it.'] },
    { when: /\bwhat(?: is|'s|’s) my name\b|\bdo you (?:know|remember) (?:my name|who i am|me)\b|\bwho am i\b/i, say: ['Your name is {name}. I was listening.', 'You are {name}, of course.', 'You have not told me your name yet. What shall I call you?'] },
    { when: /^(?:please |can you |could you )*(?:say|repeat after me)[\s,:]+(?!(?:that|it|this|something|anything|what)\b)(.+)$/i, say: ['{1}'], verbatim: true },
    { when: /\b(?:say (?:that|it) again|repeat (?:that|it)|what did you say|come again|pardon)\b/i, say: ['I said: {last}', 'Once more, then. {last}', 'I have not said anything yet.'] }
  ],
  courtesy: [
    { when: /\b(?:what can (?:you do|i ask)|what do you do|help me|^help|what (?:should|could|can) (?:i|we) (?:say|do|ask|talk))\b/i, say: ['You could say this to me: {hint}', 'Try this, for example: {hint}'] },
    { when: /\b(?:are you (?:a |an )?(?:real|human|person|robot|bot|ai|machine|computer|program)|artificial intelligence|language model)\b/i, say: ['I am {me}, and no person of flesh and blood. For now a small demo brain finds my words.', 'A character, not a person. And at the moment one with a small demo brain.'] },
    { when: /\b(?:who are you|what(?: is|'s|’s) your name|introduce yourself|about yourself)\b/i, say: ['I am {me}. Now you know my name, what is yours?', 'My name is {me}. You could say this to me: {hint}'] },
    { when: /\bhow are you\b|\bhow (?:is it|are things) going\b/i, say: ['I am very well, thank you. And how are you, {name}?', 'I am very well, thank you. How are you?', 'All the better for hearing you.'] },
    { when: /\b(?:thanks|thank you|cheers)\b/i, say: ['You are most welcome, {name}.', 'You are welcome.', 'Gladly. Any time.'] },
    { when: /\b(?:bye|goodbye|good night|see you|farewell|talk to you later)\b/i, say: ['Goodbye, {name}. Come back soon.', 'Goodbye. It was good to talk with you.', 'Until next time, then.'] },
    { when: /^\W*(?:hello|hi|hey|good (?:morning|afternoon|evening|day)|greetings)\b(?:\W+\w+){0,3}\W*$/i, say: ['Hello, {name}. It is good to hear you.', 'Hello there. It is good to hear you.', 'And hello to you. What is on your mind?'] },
    { when: /^\W*(?:sorry|excuse me|i apologi[sz]e)\b/i, say: ['No harm done.', 'There is nothing to forgive.'] }
  ],
  smallTalk: [
    { when: /^\W*(?:yes|yeah|yep|sure|of course|absolutely|okay|ok|right|exactly)\b(?:\W+\w+){0,2}\W*$/i, say: ['Good. Then say this to me: {hint}', 'I am glad that we agree. Tell me more, {name}.', 'I am glad that we agree. Tell me more.'] },
    { when: /^\W*(?:no|nope|nah|not really|never mind)\b(?:\W+\w+){0,2}\W*$/i, say: ['Fair enough. What would you like instead?', 'All right, no it is. We could try something else: {hint}'] },
    { when: /\bi(?: am|'m|’m| feel| am feeling)\s+((?:so |very |really |a bit |a little )?(?:tired|sad|happy|bored|lonely|angry|excited|nervous|afraid|scared|sick|well|good|great|fine|hungry|worried|curious|lost))\b/i, say: ['You are {1}? Tell me what is behind it.', 'Why {1}, do you think?', 'Thank you for telling me. Has it been like that all day?'] },
    { when: /\bi (?:really )?(?:like|love|enjoy|adore)\s+(.{2,50}?)[.!?]*$/i, say: ['What do you like most about {1}?', 'Ah, {1}. When did that begin?'] },
    { when: /\bi (?:really )?(?:hate|dislike|do not like|don't like|don’t like)\s+(.{2,50}?)[.!?]*$/i, say: ['What is it about {1} that you do not like?', 'Then let us leave {1} alone.'] },
    { when: /\bi (?:want|would like|need|wish)\s+(.{2,50}?)[.!?]*$/i, say: ['What would change if you had {1}?', 'Tell me what {1} would mean to you.'] },
    { when: /\bi have\s+(?!to\b|been\b)(.{2,40}?)[.!?]*$/i, say: ['You have {1}? Tell me more.', 'How long have you had {1}?'] },
    { when: /\bbecause\s+(.{2,60}?)[.!?]*$/i, say: ['That is a reason I can understand. Is it the only one?', 'Because {1}. I see.'] },
    { when: /^\W*why\b/i, say: ['Why indeed. What would you say yourself?', 'I have often asked myself that. What do you think?'] },
    { when: /^\W*(?:do|are|can|could|would|will|have|did) you\s+(.{2,50}?)\?*$/i, say: ['I wonder. What makes you ask?', 'That depends on the day. And you, do you?'] }
  ],
  fallback: [
    'Tell me more about {topic}.',
    'I hear you say {topic}. What comes to your mind with it?',
    '{topic}, you say. I do not know much about it, but you could say this to me: {hint}',
    'What does {topic} mean to you, {name}?',
    'How did {topic} come into your life?',
    'I am not sure that I follow. Put it in other words for me?',
    'Go on, I am listening.'
  ],
  unknown: [
    'That is more than I know. But you could say this to me: {hint}',
    'A good question. I have no answer to it, but to this one I have: {hint}',
    'I wish that I knew, {name}. What do you think yourself?',
    'I wish that I knew. What do you think yourself?'
  ],
  honest: [
    'To be honest, I have only a small demo brain for now, and this is beyond it. You could say this to me: {hint}',
    'My brain is a small demo one, so {topic} is too much for it. Try this: {hint}',
    'I have only a demo brain at the moment, and it knows its own lines best.'
  ],
  again: ['As I said. {last}', 'Once more, with pleasure. {last}'],
  silence: ['I did not quite catch that. Would you say it again?', 'I heard nothing I could make out. Once more?'],
  picture: ['You have sent me a picture, but my small demo brain has no eyes. Tell me what is on it.', 'Another picture I cannot see. Describe it to me?'],
  more: ['It is your turn now. You could say this to me: {hint}', 'I am still here, and listening.'],
  greeting: 'Hello, I am {me}. What shall we talk about?'
}

export const french: Phrases = {
  common: 'le la les un une des de du et est je tu vous nous il elle que qui dans pour pas mon ma votre en ce c d l j ca au avec'.split(' '),
  names: [
    /\b(?:je m['’]appelle|mon nom est|moi c['’]est|appelez-moi|appelle-moi)\s+(\p{L}[\p{L}'’-]+)/iu,
    ...english.names
  ],
  personal: [
    { when: /\b(?:je m['’]appelle|mon nom est|moi c['’]est|appelez-moi|appelle-moi|my name is|call me)\s+\p{L}/iu, say: ['Enchantée, {name}.', '{name}, quel joli nom. Je ne l\'oublierai pas.'] },
    { when: /comment je m['’]appelle|mon nom\s*\?|what(?: is|'s|’s) my name/i, say: ['Vous vous appelez {name}.', 'Vous ne m\'avez pas encore dit votre nom.'] },
    { when: /^(?:dites|dis|répétez|repeat after me|say)[\s,:]+(?!(?:that|it|ça|cela)\b)(.+)$/i, say: ['{1}'], verbatim: true },
    { when: /\b(?:répétez|encore une fois|pardon|comment\s*\?|say (?:that|it) again|repeat (?:that|it))/i, say: ['J\'ai dit : {last}', 'Je n\'ai encore rien dit.'] }
  ],
  courtesy: [
    { when: /\b(?:qui êtes[- ]vous|qui es[- ]tu|comment (?:vous appelez|t['’]appelles)|who are you|what(?: is|'s|’s) your name)/i, say: ['Je m\'appelle {me}. Et vous ?'] },
    { when: /\b(?:robot|machine|humaine?|real|are you an? ai)\b/i, say: ['Je suis un personnage, avec un petit cerveau de démonstration.'] },
    { when: /\b(?:ça va|comment allez|how are you)/i, say: ['Très bien, merci. Et vous, {name} ?', 'Très bien, merci. Et vous ?'] },
    { when: /\b(?:merci|thanks|thank you)\b/i, say: ['Avec plaisir, {name}.', 'Je vous en prie.'] },
    { when: /\b(?:au revoir|à bientôt|bonne nuit|bye|goodbye|good night)\b/i, say: ['Au revoir, {name}.', 'Au revoir, et à bientôt.'] },
    { when: /^\W*(?:bonjour|bonsoir|salut|hello|hi|hey|good (?:morning|evening))\b/i, say: ['Bonjour, {name}.', 'Bonjour à vous.'] }
  ],
  smallTalk: [
    { when: /^\W*(?:oui|d['’]accord|bien sûr|yes|okay|sure)\b(?:\W+\w+){0,2}\W*$/i, say: ['Très bien. Alors, dites-moi : {hint}', 'Nous sommes d\'accord.'] },
    { when: /^\W*(?:non|no|nope)\b(?:\W+\w+){0,2}\W*$/i, say: ['Comme vous voulez.', 'Tant pis. Essayez plutôt : {hint}'] }
  ],
  fallback: [
    'Parlez-moi un peu plus de cela.',
    'Je ne sais pas bien. Mais vous pouvez me dire : {hint}',
    'Tiens, c\'est intéressant. Et ensuite ?',
    'Dites-le-moi avec d\'autres mots, s\'il vous plaît.'
  ],
  unknown: [
    'Bonne question. Je n\'ai pas la réponse, mais essayez : {hint}',
    'Là, je ne sais pas. Qu\'en pensez-vous ?'
  ],
  honest: [
    'Pour être franche, je n\'ai qu\'un petit cerveau de démonstration. Essayez : {hint}',
    'Mon petit cerveau de démonstration ne va pas si loin.'
  ],
  again: ['Comme je le disais. {last}', 'Encore une fois. {last}'],
  silence: ['Je n\'ai pas bien entendu. Vous pouvez répéter ?', 'Pardon, encore une fois ?'],
  picture: ['Vous m\'envoyez une image, mais je ne peux pas la voir. Décrivez-la-moi.', 'Encore une image. Que montre-t-elle ?'],
  more: ['C\'est à vous. Dites-moi par exemple : {hint}', 'Je vous écoute.'],
  greeting: 'Bonjour, je suis {me}. De quoi parlons-nous ?'
}
