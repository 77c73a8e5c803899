"""What a network listens to: where in the sound of either ear its answer comes from.

`gradients` works for every model that torch can differentiate, third parties' too; `attention` for those
whose encoders attend; `focus` makes curves over frequency of either, compares and checks them.
"""
