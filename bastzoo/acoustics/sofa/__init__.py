"""SOFA files (AES69): what a stranger's file holds, read with bounds, and what it says of directions."""
