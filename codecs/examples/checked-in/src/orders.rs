// @generated from orders.xml by `gannet sbe generate`: change the schema and generate again.

// SBE codecs of package `example.orders`, schema 42, version 1. Generated from the schema: change that, not this.

use ::gannet_codecs_runtime as runtime;
/// The byte order of every value.
pub type Order = runtime::LittleEndian;
/// The schema's package.
pub const PACKAGE: &str = "example.orders";
/// The schema's id, which every header carries.
pub const SCHEMA_ID: u32 = 42;
/// The version of the schema that encoders write.
pub const SCHEMA_VERSION: u32 = 1;
/// What stands in front of every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the block, as the writer laid it out.
    pub block_length: usize,
    /// Which message follows.
    pub template_id: u32,
    /// Which schema it is of.
    pub schema_id: u32,
    /// The version of the schema that the writer used.
    pub version: u32,
}
impl Header {
    /// Bytes of a header.
    pub const LENGTH: usize = 8;
    /// Reads the header at the start of `bytes`, and gives what is behind it.
    ///
    /// # Errors
    ///
    /// The bytes are too few.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), runtime::DecodeError> {
        let mut reader = runtime::Reader::new(bytes);
        let bytes = reader.take_array::<8>("message header")?;
        let header = Self {
            block_length: runtime::Primitive::to_length(
                runtime::get::<u16, Order, 0, 8>(bytes),
            ),
            template_id: runtime::id(
                runtime::Primitive::to_length(runtime::get::<u16, Order, 2, 8>(bytes)),
            ),
            schema_id: runtime::id(
                runtime::Primitive::to_length(runtime::get::<u16, Order, 4, 8>(bytes)),
            ),
            version: runtime::id(
                runtime::Primitive::to_length(runtime::get::<u16, Order, 6, 8>(bytes)),
            ),
        };
        Ok((header, reader.rest()))
    }
    /// As `read`, of a message of this schema.
    #[inline]
    fn read_ours(bytes: &[u8]) -> Result<(Self, &[u8]), runtime::DecodeError> {
        let (header, body) = Self::read(bytes)?;
        if header.schema_id != SCHEMA_ID {
            return Err(runtime::DecodeError::OtherSchema {
                found: header.schema_id,
                expected: SCHEMA_ID,
            });
        }
        Ok((header, body))
    }
    /// As `read_ours`, of one kind of message, which the schema has `since` some version.
    #[inline]
    fn read_of(
        bytes: &[u8],
        expected: u32,
        since: u32,
    ) -> Result<(Self, &[u8]), runtime::DecodeError> {
        let (header, body) = Self::read_ours(bytes)?;
        if header.template_id != expected {
            return Err(runtime::DecodeError::OtherTemplate {
                found: header.template_id,
                expected,
            });
        }
        header.not_before(since)?;
        Ok((header, body))
    }
    /// Refuses a version of the schema that did not have the message yet.
    #[inline]
    fn not_before(&self, since: u32) -> Result<(), runtime::DecodeError> {
        if self.version < since {
            return Err(runtime::DecodeError::OlderVersion {
                found: self.version,
                since,
            });
        }
        Ok(())
    }
    #[inline]
    fn write(
        writer: &mut runtime::Writer<'_>,
        block_length: usize,
        template_id: usize,
    ) -> Result<(), runtime::EncodeError> {
        let bytes = writer.take::<8>("message header")?;
        runtime::put::<
            u16,
            Order,
            0,
            8,
        >(bytes, runtime::Primitive::from_length(block_length));
        runtime::put::<
            u16,
            Order,
            2,
            8,
        >(bytes, runtime::Primitive::from_length(template_id));
        runtime::put::<
            u16,
            Order,
            4,
            8,
        >(bytes, runtime::Primitive::from_length(SCHEMA_ID as usize));
        runtime::put::<
            u16,
            Order,
            6,
            8,
        >(bytes, runtime::Primitive::from_length(SCHEMA_VERSION as usize));
        Ok(())
    }
}
/// Any message of the schema.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum AnyMessage<'a> {
    ///`NewOrder`.
    NewOrder(NewOrderDecoder<'a>),
    ///`OrderFilled`.
    OrderFilled(OrderFilledDecoder<'a>),
    /// A message that this version of the schema does not have.
    Unknown {
        /// Its header.
        header: Header,
        /// What is behind the header.
        body: &'a [u8],
    },
}
impl<'a> AnyMessage<'a> {
    /// Reads whatever message `bytes` start with, header included.
    ///
    /// # Errors
    ///
    /// The message is of another schema, or of a version that did not have it yet; or the bytes end before it does.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
        let (header, body) = Header::read_ours(bytes)?;
        Ok(
            match header.template_id {
                NewOrderDecoder::TEMPLATE_ID => {
                    Self::NewOrder(
                        NewOrderDecoder::wrap(body, header.block_length, header.version)?,
                    )
                }
                OrderFilledDecoder::TEMPLATE_ID => {
                    Self::OrderFilled(
                        OrderFilledDecoder::wrap(
                            body,
                            header.block_length,
                            header.version,
                        )?,
                    )
                }
                _ => Self::Unknown { header, body },
            },
        )
    }
    /// Writes the message again, header included, as this version of the schema has it; `None` for one that it
    /// does not have.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the message has more than its schema allows.
    pub fn rewrite(
        &self,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, runtime::EncodeError> {
        match self {
            Self::NewOrder(message) => message.rewrite(buffer).map(Some),
            Self::OrderFilled(message) => message.rewrite(buffer).map(Some),
            Self::Unknown { .. } => Ok(None),
        }
    }
}
impl core::fmt::Display for AnyMessage<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NewOrder(message) => core::fmt::Display::fmt(message, f),
            Self::OrderFilled(message) => core::fmt::Display::fmt(message, f),
            Self::Unknown { .. } => f.write_str("null"),
        }
    }
}
/// Somebody wants to trade
///
/// The message's name, for code that serves any message.
#[derive(Clone, Copy, Debug)]
pub enum NewOrder {}
impl runtime::Message for NewOrder {
    type Decoder<'a> = NewOrderDecoder<'a>;
    type InOrder<'a> = NewOrderDecoder<'a, runtime::InOrder<'a>>;
    type Encoder<'a> = NewOrderEncoder<'a>;
    const NAME: &'static str = NewOrderDecoder::NAME;
    const SCHEMA_ID: u32 = SCHEMA_ID;
    const SCHEMA_VERSION: u32 = SCHEMA_VERSION;
    const TEMPLATE_ID: u32 = NewOrderDecoder::TEMPLATE_ID;
    const SINCE: u32 = 0;
    #[inline]
    fn decode(bytes: &[u8]) -> Result<NewOrderDecoder<'_>, runtime::DecodeError> {
        NewOrderDecoder::decode(bytes)
    }
    #[inline]
    fn in_order(bytes: &[u8]) -> Result<Self::InOrder<'_>, runtime::DecodeError> {
        NewOrderDecoder::in_order(bytes)
    }
    #[inline]
    fn encode(buffer: &mut [u8]) -> Result<NewOrderEncoder<'_>, runtime::EncodeError> {
        NewOrderEncoder::wrap(buffer)
    }
}
/// Somebody wants to trade
#[derive(Clone, Copy)]
pub struct NewOrderDecoder<'a, R = NewOrderRest<'a>> {
    block: &'a [u8; 34],
    rest: R,
}
/// What is behind the block of `NewOrder`, checked.
#[derive(Clone, Copy)]
pub struct NewOrderRest<'a> {
    note: &'a [u8],
    length: usize,
}
impl<'a> NewOrderDecoder<'a, runtime::InOrder<'a, 0>> {
    /// Whatever the sender wants to remember
    ///
    /// Data id 8.
    ///
    /// With it comes the decoder that reads on behind it.
    ///
    /// # Errors
    ///
    /// The bytes end before it does.
    #[inline(always)]
    pub fn note(
        mut self,
    ) -> Result<
        (&'a [u8], NewOrderDecoder<'a, runtime::InOrder<'a, 1>>),
        runtime::DecodeError,
    > {
        let reader = runtime::Front::reader(&mut self.rest);
        let value = reader.take_data::<u16, Order>("note")?;
        Ok((
            value,
            NewOrderDecoder {
                block: self.block,
                rest: self.rest.at(),
            },
        ))
    }
}
impl<'a> NewOrderDecoder<'a, runtime::InOrder<'a, 1>> {
    /// The bytes behind the message.
    #[inline]
    #[must_use]
    pub fn finish(self) -> &'a [u8] {
        self.rest.rest()
    }
}
impl<const STAGE: usize> core::fmt::Debug
for NewOrderDecoder<'_, runtime::InOrder<'_, STAGE>> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NewOrder").field("stage", &STAGE).finish_non_exhaustive()
    }
}
impl<'a, R: runtime::Front<'a>> runtime::Front<'a> for NewOrderDecoder<'a, R> {
    #[inline]
    fn reader(&mut self) -> &mut runtime::Reader<'a> {
        self.rest.reader()
    }
}
impl<'a> NewOrderDecoder<'a> {
    /// The id in the header of such messages.
    pub const TEMPLATE_ID: u32 = 1;
    /// The message's name in the schema.
    pub const NAME: &'static str = "NewOrder";
    /// Bytes of the block that this version of the schema writes.
    pub const BLOCK_LENGTH: usize = 34;
    /// Reads a message behind its header, and checks that all of it is there: what is asked of it then cannot fail,
    /// in any order and as often as one likes.
    ///
    /// # Errors
    ///
    /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end before
    /// the message does.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
        let (header, body) = Header::read_of(bytes, 1, 0)?;
        Self::wrap(body, header.block_length, header.version)
    }
    /// Reads a message without a header, of which the writer's block length and version are known.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    #[inline]
    pub fn wrap(
        body: &'a [u8],
        block_length: usize,
        _version: u32,
    ) -> Result<Self, runtime::DecodeError> {
        let mut all = runtime::Reader::new(body);
        let reader = &mut all;
        let (block, _full) = reader.take_block::<34>(block_length, "NewOrder")?;
        let note = reader.take_data::<u16, Order>("note")?;
        let length = body.len() - all.rest().len();
        Ok(Self {
            block,
            rest: NewOrderRest { note, length },
        })
    }
    /// What stands in front of such messages of this version of the schema.
    const HEADER: [u8; 8] = [34, 0, 1, 0, 42, 0, 1, 0];
    /// As `in_order`, of a message whose header is that.
    #[inline(always)]
    fn in_order_usual(
        bytes: &'a [u8],
    ) -> Option<NewOrderDecoder<'a, runtime::InOrder<'a>>> {
        let (message, reader) = runtime::Reader::behind::<42, 8>(bytes, &Self::HEADER)?;
        let block = runtime::bytes::<34, 8, 42>(message);
        Some(NewOrderDecoder {
            block,
            rest: runtime::InOrder::new(reader, SCHEMA_VERSION),
        })
    }
    /// Reads a message behind its header, from front to back: each group and data is checked when it is reached, and
    /// gives the decoder that reads on behind it. It is the fastest way to read all of a message once.
    ///
    /// # Errors
    ///
    /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end inside
    /// the block.
    #[inline]
    pub fn in_order(
        bytes: &'a [u8],
    ) -> Result<NewOrderDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        match Self::in_order_usual(bytes) {
            Some(decoder) => Ok(decoder),
            None => Self::in_order_any(bytes),
        }
    }
    /// As `in_order`, of a message of any version. In line: for a call, registers would be saved on the usual way, too.
    #[cold]
    #[inline(always)]
    fn in_order_any(
        bytes: &'a [u8],
    ) -> Result<NewOrderDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        let (header, body) = Header::read_of(bytes, 1, 0)?;
        Self::wrap_in_order(body, header.block_length, header.version)
    }
    /// As `in_order`, without a header.
    ///
    /// # Errors
    ///
    /// The bytes end inside the block.
    #[inline]
    pub fn wrap_in_order(
        body: &'a [u8],
        block_length: usize,
        version: u32,
    ) -> Result<NewOrderDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        let mut reader = runtime::Reader::new(body);
        let (block, _full) = reader.take_block::<34>(block_length, "NewOrder")?;
        Ok(NewOrderDecoder {
            block,
            rest: runtime::InOrder::new(reader, version),
        })
    }
    /// Bytes that the message takes behind its header.
    #[inline]
    #[must_use]
    pub fn encoded_length(&self) -> usize {
        self.rest.length
    }
    /// Whatever the sender wants to remember
    ///
    /// Data id 8.
    #[inline]
    #[must_use]
    pub fn note(&self) -> &'a [u8] {
        self.rest.note
    }
    /// `note` as text.
    ///
    /// # Errors
    ///
    /// The bytes are not UTF-8.
    pub fn note_str(&self) -> Result<&'a str, core::str::Utf8Error> {
        core::str::from_utf8(self.rest.note)
    }
    /// Writes the message again, header included, as this version of the schema has it.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the message has more than its schema allows.
    pub fn rewrite(&self, buffer: &mut [u8]) -> Result<usize, runtime::EncodeError> {
        let mut encoder = NewOrderEncoder::wrap(buffer)?;
        encoder.order_id(self.order_id());
        encoder.symbol(self.symbol());
        encoder.side(self.side());
        encoder.price(self.price());
        encoder.quantity(self.quantity());
        encoder.shown(self.shown());
        encoder.instructions(self.instructions());
        let encoder = encoder.note(self.note())?;
        Ok(encoder.finish())
    }
}
impl<'a, R> NewOrderDecoder<'a, R> {
    /// Unique to the sender
    ///
    /// Field id 1.
    #[inline]
    #[must_use]
    pub fn order_id(&self) -> u64 {
        runtime::get::<u64, Order, 0, 34>(self.block)
    }
    /// `symbol`.
    ///
    /// Field id 2.
    #[inline]
    #[must_use]
    pub fn symbol(&self) -> &'a [u8; 8] {
        runtime::bytes::<8, 8, 34>(self.block)
    }
    /// `symbol` as text: what is before the first NUL.
    ///
    /// # Errors
    ///
    /// That is not UTF-8.
    pub fn symbol_str(&self) -> Result<&'a str, core::str::Utf8Error> {
        runtime::fixed_text(self.symbol())
    }
    /// `side`.
    ///
    /// Field id 3.
    #[inline]
    #[must_use]
    pub fn side(&self) -> types::Side {
        types::Side(runtime::get::<u8, Order, 16, 34>(self.block))
    }
    /// `price`.
    ///
    /// Field id 4.
    #[inline]
    #[must_use]
    pub fn price(&self) -> types::Price {
        types::Price::from_bytes(runtime::bytes::<8, 17, 34>(self.block))
    }
    /// `quantity`.
    ///
    /// Field id 5.
    #[inline]
    #[must_use]
    pub fn quantity(&self) -> u32 {
        runtime::get::<u32, Order, 25, 34>(self.block)
    }
    /// How much of it others may see
    ///
    /// Field id 6.
    #[inline]
    #[must_use]
    pub fn shown(&self) -> Option<u32> {
        let value = runtime::get::<u32, Order, 29, 34>(self.block);
        if value == 4_294_967_295 { None } else { Some(value) }
    }
    /// `instructions`.
    ///
    /// Field id 7.
    #[inline]
    #[must_use]
    pub fn instructions(&self) -> types::Instructions {
        types::Instructions(runtime::get::<u8, Order, 33, 34>(self.block))
    }
}
impl runtime::json::Json for NewOrderDecoder<'_> {
    fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        #[allow(unused_mut)]
        let mut object = runtime::json::Object::new(f)?;
        object.field("orderId", &self.order_id())?;
        object
            .field(
                "symbol",
                &runtime::json::Text(&self.symbol()[..], runtime::json::Charset::Ascii),
            )?;
        object.field("side", &self.side())?;
        object.field("price", &self.price())?;
        object.field("quantity", &self.quantity())?;
        object.field("shown", &self.shown())?;
        object.field("instructions", &self.instructions())?;
        object
            .field(
                "note",
                &runtime::json::Data(self.rest.note, runtime::json::Charset::Utf8),
            )?;
        object.end()
    }
}
impl core::fmt::Display for NewOrderDecoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        runtime::json::Json::json(self, f)
    }
}
impl core::fmt::Debug for NewOrderDecoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NewOrder ")?;
        core::fmt::Display::fmt(self, f)
    }
}
/// Somebody wants to trade
#[derive(Debug)]
pub struct NewOrderEncoder<'a, const STAGE: usize = 0> {
    block: &'a mut [u8; 34],
    writer: runtime::Writer<'a>,
}
impl<'a> NewOrderEncoder<'a> {
    const EMPTY: [u8; 34] = *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\0";
    /// Bytes of a whole message, header included, with so many entries in each group and so many bytes in each data.
    #[must_use]
    pub const fn encoded_length(note: usize) -> usize {
        Header::LENGTH + 34 + 2 + note
    }
    /// Starts a message at the start of `buffer`, header included. Optional fields are none and others zero until they
    /// are written.
    ///
    /// # Errors
    ///
    /// The buffer cannot hold the header and the block.
    #[inline]
    pub fn wrap(buffer: &'a mut [u8]) -> Result<Self, runtime::EncodeError> {
        let mut writer = runtime::Writer::new(buffer);
        Header::write(&mut writer, 34, 1)?;
        let block = writer.take::<34>("NewOrder")?;
        *block = Self::EMPTY;
        Ok(Self { block, writer })
    }
}
impl<const STAGE: usize> NewOrderEncoder<'_, STAGE> {
    /// Unique to the sender
    ///
    /// Field id 1.
    #[inline]
    pub fn order_id(&mut self, value: u64) -> &mut Self {
        runtime::put::<u64, Order, 0, 34>(self.block, value);
        self
    }
    /// `symbol`.
    ///
    /// Field id 2.
    #[inline]
    pub fn symbol(&mut self, value: &[u8; 8]) -> &mut Self {
        runtime::bytes_mut::<8, 8, 34>(self.block).copy_from_slice(value);
        self
    }
    /// Writes `symbol` as text, with NULs behind it.
    ///
    /// # Errors
    ///
    /// The text is longer than the field.
    #[inline]
    pub fn symbol_str(
        &mut self,
        value: &str,
    ) -> Result<&mut Self, runtime::EncodeError> {
        runtime::put_text(
            runtime::bytes_mut::<8, 8, 34>(self.block),
            "symbol",
            value.as_bytes(),
        )?;
        Ok(self)
    }
    /// `side`.
    ///
    /// Field id 3.
    #[inline]
    pub fn side(&mut self, value: types::Side) -> &mut Self {
        runtime::put::<u8, Order, 16, 34>(self.block, value.0);
        self
    }
    /// `price`.
    ///
    /// Field id 4.
    #[inline]
    pub fn price(&mut self, value: types::Price) -> &mut Self {
        value.to_bytes(runtime::bytes_mut::<8, 17, 34>(self.block));
        self
    }
    /// `quantity`.
    ///
    /// Field id 5.
    #[inline]
    pub fn quantity(&mut self, value: u32) -> &mut Self {
        runtime::put::<u32, Order, 25, 34>(self.block, value);
        self
    }
    /// How much of it others may see
    ///
    /// Field id 6.
    #[inline]
    pub fn shown(&mut self, value: impl Into<Option<u32>>) -> &mut Self {
        let value = value.into().unwrap_or(4_294_967_295);
        runtime::put::<u32, Order, 29, 34>(self.block, value);
        self
    }
    /// `instructions`.
    ///
    /// Field id 7.
    #[inline]
    pub fn instructions(&mut self, value: types::Instructions) -> &mut Self {
        runtime::put::<u8, Order, 33, 34>(self.block, value.0);
        self
    }
}
impl<'a> NewOrderEncoder<'a, 0> {
    /// Whatever the sender wants to remember
    ///
    /// Data id 8.
    ///
    /// # Errors
    ///
    /// The data is longer than its length can say, or than the buffer.
    #[inline]
    pub fn note(
        self,
        value: impl AsRef<[u8]>,
    ) -> Result<NewOrderEncoder<'a, 1>, runtime::EncodeError> {
        let mut writer = self.writer;
        writer.put_data::<u16, Order>("note", value.as_ref(), 65534)?;
        Ok(NewOrderEncoder {
            block: self.block,
            writer,
        })
    }
}
impl NewOrderEncoder<'_, 1> {
    /// Bytes of the whole message, header included.
    #[inline]
    #[must_use]
    pub fn finish(self) -> usize {
        self.writer.written()
    }
}
/// An order traded, against one or more others
///
/// The message's name, for code that serves any message.
#[derive(Clone, Copy, Debug)]
pub enum OrderFilled {}
impl runtime::Message for OrderFilled {
    type Decoder<'a> = OrderFilledDecoder<'a>;
    type InOrder<'a> = OrderFilledDecoder<'a, runtime::InOrder<'a>>;
    type Encoder<'a> = OrderFilledEncoder<'a>;
    const NAME: &'static str = OrderFilledDecoder::NAME;
    const SCHEMA_ID: u32 = SCHEMA_ID;
    const SCHEMA_VERSION: u32 = SCHEMA_VERSION;
    const TEMPLATE_ID: u32 = OrderFilledDecoder::TEMPLATE_ID;
    const SINCE: u32 = 0;
    #[inline]
    fn decode(bytes: &[u8]) -> Result<OrderFilledDecoder<'_>, runtime::DecodeError> {
        OrderFilledDecoder::decode(bytes)
    }
    #[inline]
    fn in_order(bytes: &[u8]) -> Result<Self::InOrder<'_>, runtime::DecodeError> {
        OrderFilledDecoder::in_order(bytes)
    }
    #[inline]
    fn encode(
        buffer: &mut [u8],
    ) -> Result<OrderFilledEncoder<'_>, runtime::EncodeError> {
        OrderFilledEncoder::wrap(buffer)
    }
}
/// An order traded, against one or more others
#[derive(Clone, Copy)]
pub struct OrderFilledDecoder<'a, R = OrderFilledRest<'a>> {
    block: &'a [u8; 8],
    full: &'a [u8],
    version: u32,
    rest: R,
}
/// What is behind the block of `OrderFilled`, checked.
#[derive(Clone, Copy)]
pub struct OrderFilledRest<'a> {
    fills: runtime::Entries<'a, order_filled::FillsEntry<'a>>,
    length: usize,
}
impl<'a> OrderFilledDecoder<'a, runtime::InOrder<'a, 0>> {
    /// Each with the price that it traded at
    ///
    /// Group id 10.
    ///
    /// Its `end` gives the decoder that reads on behind it.
    ///
    /// # Errors
    ///
    /// The bytes end before its entries begin.
    #[inline(always)]
    pub fn fills(
        mut self,
    ) -> Result<
        runtime::BlocksInOrder<
            'a,
            order_filled::FillsEntry<'a>,
            OrderFilledDecoder<'a, runtime::InOrder<'a, 1>>,
        >,
        runtime::DecodeError,
    > {
        let version = self.rest.version();
        let reader = runtime::Front::reader(&mut self.rest);
        let (block_length, count) = {
            let dimension = reader.take_array::<4>("fills")?;
            let (block_length, count) = (
                runtime::Primitive::to_length(
                    runtime::get::<u16, Order, 0, 4>(dimension),
                ),
                runtime::Primitive::to_length(
                    runtime::get::<u16, Order, 2, 4>(dimension),
                ),
            );
            (block_length, count)
        };
        let after = OrderFilledDecoder {
            block: self.block,
            full: self.full,
            version: self.version,
            rest: self.rest.at(),
        };
        Ok(runtime::BlocksInOrder::new(after, count, block_length, version))
    }
}
impl<'a> OrderFilledDecoder<'a, runtime::InOrder<'a, 1>> {
    /// The bytes behind the message.
    #[inline]
    #[must_use]
    pub fn finish(self) -> &'a [u8] {
        self.rest.rest()
    }
}
impl<const STAGE: usize> core::fmt::Debug
for OrderFilledDecoder<'_, runtime::InOrder<'_, STAGE>> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OrderFilled").field("stage", &STAGE).finish_non_exhaustive()
    }
}
impl<'a, R: runtime::Front<'a>> runtime::Front<'a> for OrderFilledDecoder<'a, R> {
    #[inline]
    fn reader(&mut self) -> &mut runtime::Reader<'a> {
        self.rest.reader()
    }
}
impl<'a> OrderFilledDecoder<'a> {
    /// The id in the header of such messages.
    pub const TEMPLATE_ID: u32 = 2;
    /// The message's name in the schema.
    pub const NAME: &'static str = "OrderFilled";
    /// Bytes of the block that this version of the schema writes.
    pub const BLOCK_LENGTH: usize = 16;
    /// Reads a message behind its header, and checks that all of it is there: what is asked of it then cannot fail,
    /// in any order and as often as one likes.
    ///
    /// # Errors
    ///
    /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end before
    /// the message does.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
        let (header, body) = Header::read_of(bytes, 2, 0)?;
        Self::wrap(body, header.block_length, header.version)
    }
    /// Reads a message without a header, of which the writer's block length and version are known.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    #[inline]
    pub fn wrap(
        body: &'a [u8],
        block_length: usize,
        version: u32,
    ) -> Result<Self, runtime::DecodeError> {
        let mut all = runtime::Reader::new(body);
        let reader = &mut all;
        let (block, full) = reader.take_block::<8>(block_length, "OrderFilled")?;
        let fills = {
            let dimension = reader.take_array::<4>("fills")?;
            let (block_length, count) = (
                runtime::Primitive::to_length(
                    runtime::get::<u16, Order, 0, 4>(dimension),
                ),
                runtime::Primitive::to_length(
                    runtime::get::<u16, Order, 2, 4>(dimension),
                ),
            );
            runtime::Entries::read(reader, count, block_length, version)?
        };
        let length = body.len() - all.rest().len();
        Ok(Self {
            block,
            full,
            version,
            rest: OrderFilledRest { fills, length },
        })
    }
    /// What stands in front of such messages of this version of the schema.
    const HEADER: [u8; 8] = [16, 0, 2, 0, 42, 0, 1, 0];
    /// As `in_order`, of a message whose header is that.
    #[inline(always)]
    fn in_order_usual(
        bytes: &'a [u8],
    ) -> Option<OrderFilledDecoder<'a, runtime::InOrder<'a>>> {
        let (message, reader) = runtime::Reader::behind::<24, 8>(bytes, &Self::HEADER)?;
        let block = runtime::bytes::<8, 8, 24>(message);
        let (full, version) = (&message[8..], SCHEMA_VERSION);
        Some(OrderFilledDecoder {
            block,
            full,
            version,
            rest: runtime::InOrder::new(reader, SCHEMA_VERSION),
        })
    }
    /// Reads a message behind its header, from front to back: each group and data is checked when it is reached, and
    /// gives the decoder that reads on behind it. It is the fastest way to read all of a message once.
    ///
    /// # Errors
    ///
    /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end inside
    /// the block.
    #[inline]
    pub fn in_order(
        bytes: &'a [u8],
    ) -> Result<OrderFilledDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        match Self::in_order_usual(bytes) {
            Some(decoder) => Ok(decoder),
            None => Self::in_order_any(bytes),
        }
    }
    /// As `in_order`, of a message of any version. In line: for a call, registers would be saved on the usual way, too.
    #[cold]
    #[inline(always)]
    fn in_order_any(
        bytes: &'a [u8],
    ) -> Result<OrderFilledDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        let (header, body) = Header::read_of(bytes, 2, 0)?;
        Self::wrap_in_order(body, header.block_length, header.version)
    }
    /// As `in_order`, without a header.
    ///
    /// # Errors
    ///
    /// The bytes end inside the block.
    #[inline]
    pub fn wrap_in_order(
        body: &'a [u8],
        block_length: usize,
        version: u32,
    ) -> Result<OrderFilledDecoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
        let mut reader = runtime::Reader::new(body);
        let (block, full) = reader.take_block::<8>(block_length, "OrderFilled")?;
        Ok(OrderFilledDecoder {
            block,
            full,
            version,
            rest: runtime::InOrder::new(reader, version),
        })
    }
    /// Bytes that the message takes behind its header.
    #[inline]
    #[must_use]
    pub fn encoded_length(&self) -> usize {
        self.rest.length
    }
    /// Each with the price that it traded at
    ///
    /// Group id 10.
    #[inline]
    #[must_use]
    pub fn fills(&self) -> runtime::Entries<'a, order_filled::FillsEntry<'a>> {
        self.rest.fills
    }
    /// Writes the message again, header included, as this version of the schema has it.
    ///
    /// # Errors
    ///
    /// The buffer is too short, or the message has more than its schema allows.
    pub fn rewrite(&self, buffer: &mut [u8]) -> Result<usize, runtime::EncodeError> {
        let mut encoder = OrderFilledEncoder::wrap(buffer)?;
        encoder.order_id(self.order_id());
        if let Some(value) = self.time() {
            encoder.time(value);
        }
        let encoder = encoder
            .fills(self.fills(), |encoder, entry| entry.rewrite(encoder))?;
        Ok(encoder.finish())
    }
}
impl<'a, R> OrderFilledDecoder<'a, R> {
    /// `orderId`.
    ///
    /// Field id 1.
    #[inline]
    #[must_use]
    pub fn order_id(&self) -> u64 {
        runtime::get::<u64, Order, 0, 8>(self.block)
    }
    /// Since 1970
    ///
    /// Field id 2, since version 1, in nanosecond.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<u64> {
        let part = runtime::part::<8>(self.full, 8, self.version >= 1)?;
        Some(runtime::get::<u64, Order, 0, 8>(part))
    }
}
impl runtime::json::Json for OrderFilledDecoder<'_> {
    fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        #[allow(unused_mut)]
        let mut object = runtime::json::Object::new(f)?;
        object.field("orderId", &self.order_id())?;
        object.present("time", self.time())?;
        object.field("fills", &self.rest.fills)?;
        object.end()
    }
}
impl core::fmt::Display for OrderFilledDecoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        runtime::json::Json::json(self, f)
    }
}
impl core::fmt::Debug for OrderFilledDecoder<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OrderFilled ")?;
        core::fmt::Display::fmt(self, f)
    }
}
/// An order traded, against one or more others
#[derive(Debug)]
pub struct OrderFilledEncoder<'a, const STAGE: usize = 0> {
    block: &'a mut [u8; 16],
    writer: runtime::Writer<'a>,
}
impl<'a> OrderFilledEncoder<'a> {
    const EMPTY: [u8; 16] = [0; 16];
    /// Bytes of a whole message, header included, with so many entries in each group and so many bytes in each data.
    #[must_use]
    pub const fn encoded_length(fills: usize) -> usize {
        Header::LENGTH + 16 + 4 + fills * 12
    }
    /// Starts a message at the start of `buffer`, header included. Optional fields are none and others zero until they
    /// are written.
    ///
    /// # Errors
    ///
    /// The buffer cannot hold the header and the block.
    #[inline]
    pub fn wrap(buffer: &'a mut [u8]) -> Result<Self, runtime::EncodeError> {
        let mut writer = runtime::Writer::new(buffer);
        Header::write(&mut writer, 16, 2)?;
        let block = writer.take::<16>("OrderFilled")?;
        *block = Self::EMPTY;
        Ok(Self { block, writer })
    }
}
impl<const STAGE: usize> OrderFilledEncoder<'_, STAGE> {
    /// `orderId`.
    ///
    /// Field id 1.
    #[inline]
    pub fn order_id(&mut self, value: u64) -> &mut Self {
        runtime::put::<u64, Order, 0, 16>(self.block, value);
        self
    }
    /// Since 1970
    ///
    /// Field id 2, since version 1, in nanosecond.
    #[inline]
    pub fn time(&mut self, value: u64) -> &mut Self {
        runtime::put::<u64, Order, 8, 16>(self.block, value);
        self
    }
}
impl<'a> OrderFilledEncoder<'a, 0> {
    /// Each with the price that it traded at
    ///
    /// Group id 10.
    ///
    /// Each item becomes an entry, which `each` fills.
    ///
    /// # Errors
    ///
    /// The buffer is too short, there are too few or too many items, or `each` fails.
    pub fn fills<I: IntoIterator>(
        self,
        items: I,
        mut each: impl FnMut(
            order_filled::FillsEncoder<'_>,
            I::Item,
        ) -> Result<runtime::Done<'_>, runtime::EncodeError>,
    ) -> Result<OrderFilledEncoder<'a, 1>, runtime::EncodeError> {
        let mut writer = self.writer;
        let dimension = writer.take::<4>("fills")?;
        let mut count = 0_usize;
        for item in items {
            if count == 65534 {
                return Err(runtime::EncodeError::EntryCount {
                    what: "fills",
                    least: 0,
                    most: 65534,
                });
            }
            let place = writer.take::<12>("fills")?;
            *place = order_filled::FillsEncoder::<'_, 0>::EMPTY;
            writer = each(
                    order_filled::FillsEncoder {
                        block: place,
                        writer,
                    },
                    item,
                )?
                .into_writer();
            count += 1;
        }
        runtime::put::<u16, Order, 0, 4>(dimension, 12);
        runtime::put::<
            u16,
            Order,
            2,
            4,
        >(dimension, runtime::Primitive::from_length(count));
        Ok(OrderFilledEncoder {
            block: self.block,
            writer,
        })
    }
}
impl OrderFilledEncoder<'_, 1> {
    /// Bytes of the whole message, header included.
    #[inline]
    #[must_use]
    pub fn finish(self) -> usize {
        self.writer.written()
    }
}
/// The groups of `OrderFilled`.
pub mod order_filled {
    #[allow(unused_imports)]
    use super::{Order, runtime};
    /// Each with the price that it traded at
    #[derive(Clone, Copy)]
    pub struct FillsEntry<'a> {
        block: &'a [u8; 12],
    }
    impl<'a> FillsEntry<'a> {
        /// Writes the entry again, as this version of the schema has it.
        ///
        /// # Errors
        ///
        /// The buffer is too short, or the entry has more than its schema allows.
        pub fn rewrite<'b>(
            &self,
            mut encoder: FillsEncoder<'b>,
        ) -> Result<runtime::Done<'b>, runtime::EncodeError> {
            encoder.price(self.price());
            encoder.quantity(self.quantity());
            encoder.end()
        }
    }
    impl<'a> FillsEntry<'a> {
        /// `price`.
        ///
        /// Field id 11.
        #[inline]
        #[must_use]
        pub fn price(&self) -> super::types::Price {
            super::types::Price::from_bytes(runtime::bytes::<8, 0, 12>(self.block))
        }
        /// `quantity`.
        ///
        /// Field id 12.
        #[inline]
        #[must_use]
        pub fn quantity(&self) -> u32 {
            runtime::get::<u32, Order, 8, 12>(self.block)
        }
    }
    impl<'a> runtime::Entry<'a> for FillsEntry<'a> {
        const NAME: &'static str = "fills";
        const OLDEST: usize = 12;
        const BLOCK: usize = 12;
        const FLAT: bool = true;
        #[inline]
        fn read(
            reader: &mut runtime::Reader<'a>,
            block_length: usize,
            _version: u32,
        ) -> Result<Self, runtime::DecodeError> {
            let (block, _full) = reader.take_block::<12>(block_length, "fills")?;
            Ok(Self { block })
        }
    }
    impl runtime::json::Json for FillsEntry<'_> {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object.field("price", &self.price())?;
            object.field("quantity", &self.quantity())?;
            object.end()
        }
    }
    impl core::fmt::Display for FillsEntry<'_> {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            runtime::json::Json::json(self, f)
        }
    }
    impl core::fmt::Debug for FillsEntry<'_> {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("fills ")?;
            core::fmt::Display::fmt(self, f)
        }
    }
    /// Each with the price that it traded at
    #[derive(Debug)]
    pub struct FillsEncoder<'a, const STAGE: usize = 0> {
        pub(super) block: &'a mut [u8; 12],
        pub(super) writer: runtime::Writer<'a>,
    }
    impl FillsEncoder<'_> {
        pub(super) const EMPTY: [u8; 12] = [0; 12];
    }
    impl<const STAGE: usize> FillsEncoder<'_, STAGE> {
        /// `price`.
        ///
        /// Field id 11.
        #[inline]
        pub fn price(&mut self, value: super::types::Price) -> &mut Self {
            value.to_bytes(runtime::bytes_mut::<8, 0, 12>(self.block));
            self
        }
        /// `quantity`.
        ///
        /// Field id 12.
        #[inline]
        pub fn quantity(&mut self, value: u32) -> &mut Self {
            runtime::put::<u32, Order, 8, 12>(self.block, value);
            self
        }
    }
    impl<'a> FillsEncoder<'a, 0> {
        /// Ends the entry: all of it is written.
        ///
        /// # Errors
        ///
        /// None; it is a `Result` so that it can stand last in a closure.
        #[inline]
        pub fn end(self) -> Result<runtime::Done<'a>, runtime::EncodeError> {
            Ok(self.writer.done())
        }
    }
}
/// The types that fields have.
pub mod types {
    #[allow(unused_imports)]
    use super::{Order, runtime};
    /// In front of every message
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct MessageHeader {
        /// `blockLength`.
        pub block_length: u16,
        /// `templateId`.
        pub template_id: u16,
        /// `schemaId`.
        pub schema_id: u16,
        /// `version`.
        pub version: u16,
    }
    impl MessageHeader {
        /// Bytes on the wire.
        pub const LENGTH: usize = 8;
        /// Reads the value from its bytes.
        #[inline]
        #[must_use]
        pub fn from_bytes(bytes: &[u8; 8]) -> Self {
            Self {
                block_length: runtime::get::<u16, Order, 0, 8>(bytes),
                template_id: runtime::get::<u16, Order, 2, 8>(bytes),
                schema_id: runtime::get::<u16, Order, 4, 8>(bytes),
                version: runtime::get::<u16, Order, 6, 8>(bytes),
            }
        }
        /// Writes the value; bytes between its members are left alone.
        #[inline]
        pub fn to_bytes(self, bytes: &mut [u8; 8]) {
            runtime::put::<u16, Order, 0, 8>(bytes, self.block_length);
            runtime::put::<u16, Order, 2, 8>(bytes, self.template_id);
            runtime::put::<u16, Order, 4, 8>(bytes, self.schema_id);
            runtime::put::<u16, Order, 6, 8>(bytes, self.version);
        }
    }
    impl runtime::json::Json for MessageHeader {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object.field("blockLength", &self.block_length)?;
            object.field("templateId", &self.template_id)?;
            object.field("schemaId", &self.schema_id)?;
            object.field("version", &self.version)?;
            object.end()
        }
    }
    impl core::fmt::Display for MessageHeader {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            runtime::json::Json::json(self, f)
        }
    }
    /// In front of every group
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct GroupSizeEncoding {
        /// `blockLength`.
        pub block_length: u16,
        /// `numInGroup`.
        pub num_in_group: u16,
    }
    impl GroupSizeEncoding {
        /// Bytes on the wire.
        pub const LENGTH: usize = 4;
        /// Reads the value from its bytes.
        #[inline]
        #[must_use]
        pub fn from_bytes(bytes: &[u8; 4]) -> Self {
            Self {
                block_length: runtime::get::<u16, Order, 0, 4>(bytes),
                num_in_group: runtime::get::<u16, Order, 2, 4>(bytes),
            }
        }
        /// Writes the value; bytes between its members are left alone.
        #[inline]
        pub fn to_bytes(self, bytes: &mut [u8; 4]) {
            runtime::put::<u16, Order, 0, 4>(bytes, self.block_length);
            runtime::put::<u16, Order, 2, 4>(bytes, self.num_in_group);
        }
    }
    impl runtime::json::Json for GroupSizeEncoding {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object.field("blockLength", &self.block_length)?;
            object.field("numInGroup", &self.num_in_group)?;
            object.end()
        }
    }
    impl core::fmt::Display for GroupSizeEncoding {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            runtime::json::Json::json(self, f)
        }
    }
    /// Text of any length
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct VarText {
        /// `length`.
        pub length: u16,
    }
    impl VarText {
        /// Bytes on the wire.
        pub const LENGTH: usize = 2;
        /// Reads the value from its bytes.
        #[inline]
        #[must_use]
        pub fn from_bytes(bytes: &[u8; 2]) -> Self {
            Self {
                length: runtime::get::<u16, Order, 0, 2>(bytes),
            }
        }
        /// Writes the value; bytes between its members are left alone.
        #[inline]
        pub fn to_bytes(self, bytes: &mut [u8; 2]) {
            runtime::put::<u16, Order, 0, 2>(bytes, self.length);
        }
    }
    impl runtime::json::Json for VarText {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object.field("length", &self.length)?;
            object.end()
        }
    }
    impl core::fmt::Display for VarText {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            runtime::json::Json::json(self, f)
        }
    }
    /// A decimal: mantissa times ten to the power of minus four
    #[derive(Clone, Copy, Debug, PartialEq, Default)]
    pub struct Price {
        /// `mantissa`.
        pub mantissa: i64,
    }
    impl Price {
        /// Bytes on the wire.
        pub const LENGTH: usize = 8;
        /// `exponent`.
        pub const EXPONENT: i8 = -4;
        /// Reads the value from its bytes.
        #[inline]
        #[must_use]
        pub fn from_bytes(bytes: &[u8; 8]) -> Self {
            Self {
                mantissa: runtime::get::<i64, Order, 0, 8>(bytes),
            }
        }
        /// Writes the value; bytes between its members are left alone.
        #[inline]
        pub fn to_bytes(self, bytes: &mut [u8; 8]) {
            runtime::put::<i64, Order, 0, 8>(bytes, self.mantissa);
        }
    }
    impl runtime::json::Json for Price {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object.field("mantissa", &self.mantissa)?;
            object.field("exponent", &Self::EXPONENT)?;
            object.end()
        }
    }
    impl core::fmt::Display for Price {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            runtime::json::Json::json(self, f)
        }
    }
    /// Which side of the book
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct Side(
        ///The value on the wire.
        pub u8,
    );
    impl Side {
        /// `Buy`.
        pub const BUY: Self = Self(66);
        /// `Sell`.
        pub const SELL: Self = Self(83);
        /// The value that says "none".
        pub const NULL: Self = Self(0);
        /// The value's name in the schema, if it has one.
        #[must_use]
        pub const fn name(self) -> Option<&'static str> {
            match self.0 {
                66 => Some("Buy"),
                83 => Some("Sell"),
                _ => None,
            }
        }
        /// The value of that name in the schema.
        #[must_use]
        pub fn from_name(name: &str) -> Option<Self> {
            match name {
                "Buy" => Some(Self::BUY),
                "Sell" => Some(Self::SELL),
                _ => None,
            }
        }
    }
    impl core::fmt::Debug for Side {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self.name() {
                Some(name) => f.write_str(name),
                None => write!(f, "{}", self.0),
            }
        }
    }
    impl core::fmt::Display for Side {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            core::fmt::Debug::fmt(self, f)
        }
    }
    impl runtime::json::Json for Side {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self.name() {
                Some(name) => runtime::json::Json::json(&runtime::json::Name(name), f),
                None => runtime::json::Json::json(&self.0, f),
            }
        }
    }
    /// How an order may be executed
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct Instructions(
        ///The bits, the first choice being the least significant.
        pub u8,
    );
    impl Instructions {
        /// No choice at all.
        pub const NONE: Self = Self(0);
        /// `PostOnly`.
        pub const POST_ONLY: Self = Self(1);
        /// `ReduceOnly`.
        pub const REDUCE_ONLY: Self = Self(2);
        /// `Hidden`.
        pub const HIDDEN: Self = Self(4);
        /// Whether all of `other` is in this set.
        #[inline]
        #[must_use]
        pub const fn contains(self, other: Self) -> bool {
            self.0 & other.0 == other.0
        }
        /// This set with `other` in it.
        #[inline]
        #[must_use]
        pub const fn with(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }
        /// This set without `other`.
        #[inline]
        #[must_use]
        pub const fn without(self, other: Self) -> Self {
            Self(self.0 & !other.0)
        }
    }
    impl core::ops::BitOr for Instructions {
        type Output = Self;
        fn bitor(self, other: Self) -> Self {
            self.with(other)
        }
    }
    impl core::fmt::Debug for Instructions {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut list = f.debug_set();
            if self.contains(Self::POST_ONLY) {
                list.entry(&"PostOnly");
            }
            if self.contains(Self::REDUCE_ONLY) {
                list.entry(&"ReduceOnly");
            }
            if self.contains(Self::HIDDEN) {
                list.entry(&"Hidden");
            }
            list.finish()
        }
    }
    impl runtime::json::Json for Instructions {
        fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            #[allow(unused_mut)]
            let mut object = runtime::json::Object::new(f)?;
            object
                .field(
                    "PostOnly",
                    &runtime::json::Bool(self.contains(Self::POST_ONLY)),
                )?;
            object
                .field(
                    "ReduceOnly",
                    &runtime::json::Bool(self.contains(Self::REDUCE_ONLY)),
                )?;
            object.field("Hidden", &runtime::json::Bool(self.contains(Self::HIDDEN)))?;
            object.end()
        }
    }
}
