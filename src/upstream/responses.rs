//! Stub.
use super::*; use super::client::*;
use futures_util::StreamExt;
use serde_json::json;
pub struct ResponsesModel(UpstreamClient);
impl ResponsesModel { pub fn new(c: UpstreamClient) -> Self { Self(c) } }
impl Model for ResponsesModel { fn stream(&self, r: ModelRequest) -> ModelStream {
  let c = self.0.clone();
  Box::pin(async_stream::try_stream! {
    let input: Vec<Value> = r.input.iter().map(|i| match i {
      InputItem::User(p) => json!({"role":"user","content": p.iter().map(|p| match p { InputPart::Text(t) => json!({"type":"input_text","text":t}), InputPart::Image{url} => json!({"type":"input_image","image_url":url}) }).collect::<Vec<_>>() }),
      InputItem::Assistant{text,..} => json!({"type":"message","role":"assistant","content":[{"type":"output_text","text":text,"annotations":[]}]}),
      InputItem::FunctionCall{call_id,name,arguments} => json!({"type":"function_call","call_id":call_id,"name":name,"arguments":arguments}),
      InputItem::FunctionCallOutput{call_id,output} => json!({"type":"function_call_output","call_id":call_id,"output":output}),
      InputItem::Reasoning(v) => v.clone(),
    }).collect();
    let tools: Vec<Value> = r.tools.iter().map(|t| json!({"type":"function","name":t.name,"description":t.description,"parameters":t.parameters,"strict":false})).collect();
    let body = json!({"model":r.model,"instructions":r.instructions,"input":input,"tools":tools,"stream":true});
    let resp = c.0.post(format!("{}/responses", c.1)).json(&body).send().await.map_err(|e| UpstreamError::Unreachable(e.into()))?;
    let status = resp.status();
    if status != 200 { let t = resp.text().await.unwrap_or_default();
      Err(match status.as_u16() { 401 => UpstreamError::Unauthorized{status:401,detail:t}, s => UpstreamError::Failed{code:s.to_string(),detail:t} })?; return; }
    let mut s = resp.bytes_stream(); let mut buf = Vec::new(); 
    while let Some(ch) = s.next().await { let ch = ch.map_err(|e| UpstreamError::Truncated(Some(e.into())))?; buf.extend_from_slice(&ch);
      while let Some(p) = buf.windows(2).position(|w| w == b"\n\n") { let f: Vec<u8> = buf.drain(..p+2).collect();
        let f = String::from_utf8(f).unwrap_or_default();
        for l in f.lines() { if let Some(d) = l.strip_prefix("data: ") { let Ok(v) = serde_json::from_str::<Value>(d) else { continue };
          let idx = v["output_index"].as_u64().unwrap_or(0) as usize; let part = v["content_index"].as_u64().unwrap_or(0) as usize;
          match v["type"].as_str().unwrap_or("") {
            "response.output_item.added" if v["item"]["type"] == "message" => yield ModelEvent::MessageStarted{index:idx},
            "response.content_part.added" => yield ModelEvent::PartStarted{index:idx,part,text:String::new()},
            "response.output_text.delta" => yield ModelEvent::TextDelta{index:idx,part,delta:v["delta"].as_str().unwrap_or("").to_owned()},
            "response.output_text.done" => yield ModelEvent::PartDone{index:idx,part,text:v["text"].as_str().unwrap_or("").to_owned()},
            "response.output_item.done" => match v["item"]["type"].as_str().unwrap_or("") {
               "message" => yield ModelEvent::MessageDone{index:idx,parts:vec![MessagePart{text:v["item"]["content"][0]["text"].as_str().unwrap_or("").to_owned(),annotations:vec![]}],phase:None},
               "function_call" => yield ModelEvent::FunctionCall{index:idx,call:FunctionCall{call_id:v["item"]["call_id"].as_str().unwrap_or("").to_owned(),name:v["item"]["name"].as_str().unwrap_or("").to_owned(),arguments:v["item"]["arguments"].as_str().unwrap_or("").to_owned()}},
               _ => {} },
            "response.completed" => { yield ModelEvent::Finished{reason:FinishReason::Complete,usage:None}; return; }
            _ => {} } } } } }
    Err(UpstreamError::Truncated(None))?;
  }) } }
