//! Deterministic mutation of an input: the same seed gives the same changes.

/// Words that the codec knows or that attackers use.
const DICTIONARY: [&[u8]; 43] = [
    b"<xml>",
    b"</xml>",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE x [",
    b"<!ENTITY e SYSTEM 'x'>",
    b"&e;",
    b"&amp;",
    b"&#0;",
    b"&#x110000;",
    b"<!--",
    b"-->",
    b"<?xml version='1.0'?>",
    b"<?x?>",
    b"/>",
    b"<MsgType>",
    b"</MsgType>",
    b"event",
    b"text",
    b"<Event>",
    b"</Event>",
    b"subscribe",
    b"SCAN",
    b"qrscene_",
    b"last_trade_no_",
    b"<EventKey>",
    b"<FromUserName>",
    b"</FromUserName>",
    b"<Encrypt>",
    b"</Encrypt>",
    b"<List>",
    b"</List>",
    b"<SubscribeMsgPopupEvent>",
    b"signature=",
    b"&msg_signature=",
    b"&encrypt_type=aes",
    b"%00",
    b"====",
    b"\xff\xfe\x00",
    b"99999999999999999999",
    b" was-plain",
    b" was-compatible",
    b" was-secure",
];

/// Length to which inputs are truncated after a mutation, in bytes. Repetition may exceed it.
const MAX_INPUT_BYTES: usize = 8 << 10;

/// Pseudo-random number generator (xorshift64*), repeatable by its seed.
pub struct Rng(u64);

impl Rng {
    /// Creates a generator with this seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next_u64()) * end as u128) >> 64) as usize
    }
}

/// Changes `input` at random, perhaps with parts of `other`.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], dice: &mut Rng) {
    for _ in 0..=dice.below(5) {
        let at = dice.below(input.len() + 1);
        let length = dice.below(input.len() - at + 1);
        match dice.below(12) {
            0 | 1 => change(input, at, |byte, dice| byte ^ (1 << dice.below(8)), dice),
            2 => change(input, at, |_, dice| dice.next_u64() as u8, dice),
            3 => change(
                input,
                at,
                |byte, dice| byte.wrapping_add(dice.below(9) as u8).wrapping_sub(4),
                dice,
            ),
            4 => drop(input.drain(at..at + length.min(40))),
            5 => input.truncate(at),
            6 => {
                let word = DICTIONARY[dice.below(DICTIONARY.len())];
                input.splice(at..at, word.iter().copied());
            }
            7 => {
                let word = DICTIONARY[dice.below(DICTIONARY.len())];
                input.splice(at..at + length.min(word.len()), word.iter().copied());
            }
            8 => {
                let part = input[at..at + length].to_vec();
                let to = dice.below(input.len() + 1);
                input.splice(to..to, part);
            }
            9 => {
                let from = dice.below(other.len() + 1);
                let to = from + dice.below(other.len() - from + 1);
                input.splice(at..at + length, other[from..to].iter().copied());
            }
            10 => input.insert(at, dice.next_u64() as u8),
            _ => {
                let part = input[at..at + length.min(64)].to_vec();
                // Rarely, an input becomes large.
                let times = if dice.below(4000) == 0 { 2000 } else { dice.below(20) };
                let repeated = part.iter().copied().cycle().take(part.len() * times);
                input.splice(at..at, repeated.collect::<Vec<_>>());
                continue;
            }
        }
        input.truncate(MAX_INPUT_BYTES);
    }
}

fn change(input: &mut [u8], at: usize, to: impl Fn(u8, &mut Rng) -> u8, dice: &mut Rng) {
    if let Some(byte) = input.get_mut(at) {
        *byte = to(*byte, dice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_breaks_an_input_in_the_same_way() {
        let broken = |seed| {
            let mut dice = Rng::new(seed);
            let mut input = b"signature=1&timestamp=2".to_vec();
            for _ in 0..50 {
                mutate(&mut input, b"other", &mut dice);
            }
            input
        };
        assert_eq!(broken(5), broken(5));
        assert_ne!(broken(5), broken(6));
    }
}
